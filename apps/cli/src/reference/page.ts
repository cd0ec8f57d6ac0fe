import type { CommandEntry, ParameterEntry } from './tree.ts';

/** The reference of the command line as a Markdown page. */
export function commandPage(program: CommandEntry): string {
  const entries = program.commands.flatMap(withBelow);
  return `${[HEAD, ...list(entries), '', ...entries.flatMap(section)].join('\n').trimEnd()}\n`;
}

const INTRODUCTION = [
  'Made from the commands themselves by `npm run docs:reference`; `starling help COMMAND` says',
  'the same. Every command has `--json`: one object on standard output, or one a line for what',
  'goes on (`watch`, `events`, `logs`, `gradcheck`, `experiment`). All else goes to standard',
  'error. The exit code is 0 on success, 1 on failure, 2 on wrong usage, 130 after Ctrl-C. Colours',
  'are for terminals only; `NO_COLOR` turns them off, `FORCE_COLOR` on. `starling completion bash`',
  '(or `zsh`, `fish`) prints a script that completes commands, options, and names that the daemon',
  'knows.',
].join(' ');

const HEAD = `# Command line\n\n${INTRODUCTION}\n\n| command | does |\n| --- | --- |`;

/** A group has nothing to tell but its commands. */
const withBelow = (entry: CommandEntry): readonly CommandEntry[] => [
  ...(isGroup(entry) ? [] : [entry]),
  ...entry.commands.flatMap(withBelow),
];

const isGroup = ({ commands, options }: CommandEntry): boolean =>
  commands.length > 0 && !options.some(({ name }) => name === '--json');

const list = (entries: readonly CommandEntry[]): readonly string[] =>
  entries.map(({ path, summary }) => `| [\`${path}\`](#${anchorOf(path)}) | ${cell(summary)} |`);

/** As GitHub makes it of a heading. */
const anchorOf = (path: string): string => path.replaceAll(' ', '-');

function section({ path, summary, usage, ...entry }: CommandEntry): readonly string[] {
  const own = entry.options.filter(({ name }) => name !== '-h, --help');
  return [
    ...[`## ${path}`, '', `${sentence(summary)}`, '', '```text', usage, '```', ''],
    ...table('argument', entry.arguments.filter(isTold)),
    ...table('option', own),
    ...(entry.more === '' ? [] : ['```text', entry.more, '```', '']),
  ];
}

/** An argument without words is explained by its name. */
const isTold = ({ summary }: ParameterEntry): boolean => summary !== '';

function table(title: string, rows: readonly ParameterEntry[]): readonly string[] {
  if (rows.length === 0) return [];
  return [
    ...[`| ${title} | meaning |`, '| --- | --- |'],
    ...rows.map(({ name, summary, values }) => {
      const words = values === null ? '' : `; one of ${values.map((v) => `\`${v}\``).join(', ')}`;
      return `| \`${name}\` | ${cell(`${summary}${words}`)} |`;
    }),
    '',
  ];
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

const sentence = (text: string): string => `${text[0]!.toUpperCase()}${text.slice(1)}.`;
