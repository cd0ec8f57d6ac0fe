/** Characters at which bash cuts a line into words, beside blanks (COMP_WORDBREAKS). */
const BREAK = /^[=:]+$/;

export interface BashWords {
  /** As the line was typed: `--role=ad` is one word. */
  readonly words: readonly string[];
  /** How many characters of the last word bash keeps as they are. */
  readonly kept: number;
}

/**
 * Puts together what bash cut at = and :. A blank beside one of these is not seen any more, which
 * only matters where somebody types one there.
 */
export function joinBashWords(pieces: readonly string[]): BashWords {
  const words: string[] = [];
  let isOpen = false;
  let kept = 0;
  for (const piece of pieces) {
    const isBreak = BREAK.test(piece);
    if ((isBreak || isOpen) && words.length > 0) {
      kept = isBreak ? words.at(-1)!.length + piece.length : words.at(-1)!.length;
      words[words.length - 1] += piece;
    } else {
      words.push(piece);
      kept = 0;
    }
    isOpen = isBreak;
  }
  return { words, kept };
}
