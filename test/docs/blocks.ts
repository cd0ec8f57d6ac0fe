/** Shell commands of a page, and who types them. */
export interface Block {
  /** A person or machine of the page; undefined for commands that are only shown. */
  readonly actor: string | undefined;
  readonly commands: string;
  readonly line: number;
}

const FENCE = /^```(?:sh|bash)$/;
const RUN = /^<!-- run: ([a-z-]+)( -->)?$/;

/**
 * The blocks of a page. `<!-- run: NAME -->` before a block says who types it; a comment
 * `<!-- run: NAME` with lines up to `-->` is what others do meanwhile and readers need not see.
 */
export function blocksOf(page: string): readonly Block[] {
  const lines = page.split('\n');
  const blocks: Block[] = [];
  let actor: string | undefined;
  for (let at = 0; at < lines.length; at++) {
    const run = RUN.exec(lines[at]!);
    if (run !== null) {
      actor = run[1];
      if (run[2] !== undefined) continue;
    } else if (!FENCE.test(lines[at]!)) {
      if (lines[at] !== '') actor = undefined;
      continue;
    }
    const end = run === null ? '```' : '-->';
    const first = at + 1;
    while (lines[at + 1] !== undefined && lines[at + 1] !== end) at++;
    blocks.push({ actor, commands: lines.slice(first, at + 1).join('\n'), line: first + 1 });
    at++;
    actor = undefined;
  }
  return blocks;
}

/** Each call of `starling` in a block: the words after it. */
export function callsOf({ commands }: Pick<Block, 'commands'>): readonly (readonly string[])[] {
  const joined = withoutDocuments(commands).replaceAll(/\\\n\s*/g, ' ');
  return joined.split('\n').flatMap((line) => {
    const code = line.replace(/(^|\s)#.*$/, '');
    const found = [
      ...code.matchAll(/(?:^|[;|&(]\s*|\bdo\s+|\buntil\s+)(?:npx )?starling\s+([^;|&>)]*)/g),
    ];
    return found.map(([, words]) => wordsOf(words!));
  });
}

/** Without what is between `<<'END'` and `END`. */
const withoutDocuments = (commands: string): string =>
  commands.replaceAll(/<<'?(\w+)'?([^\n]*)\n[\s\S]*?\n\1(?=\n|$)/g, '$2');

const wordsOf = (text: string): readonly string[] =>
  [...text.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c ?? '');
