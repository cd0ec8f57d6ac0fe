import { type Style, styled } from '../terminal/style.ts';

/** How a screen may look: its size, and what its terminal can show. */
export interface Look {
  readonly columns: number;
  readonly rows: number;
  readonly unicode: boolean;
  readonly colour: boolean;
}

export const painter =
  ({ colour }: Pick<Look, 'colour'>) =>
  (style: Style, text: string): string =>
    colour ? styled(style, text) : text;

/** What the screens draw beside letters; dashes and dots too, since ASCII has not even those. */
export const glyphsOf = ({ unicode }: Pick<Look, 'unicode'>) =>
  unicode
    ? { done: '✓', running: '▶', toCome: '·', rule: '─', top: '┐', side: '│', none: '–' }
    : { done: '+', running: '>', toCome: '.', rule: '-', top: '+', side: '|', none: '-' };

const ASCII_FOR: Readonly<Record<string, string>> = { '…': '~', '–': '-', '×': 'x' };

/** Lines as a terminal can show them: without UTF-8 a question mark stands for what it cannot. */
export const shownAs = (lines: readonly string[], { unicode }: Pick<Look, 'unicode'>) =>
  unicode
    ? lines
    : lines.map((line) =>
        // Codes of colours are ASCII, too.
        line.replaceAll(/\P{ASCII}/gu, (character) => ASCII_FOR[character] ?? '?'),
      );
