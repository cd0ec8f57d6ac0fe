/** Changes text by its lines and words: YAML, CSV, JSON Lines. */
import { type Dice, type Mutator, mixed } from './mutate.ts';

/** What a reader of text may trip over. */
const WORDS = [
  '&a',
  '*a',
  '<<: *a',
  '!!binary aGk=',
  '!!js/function x',
  '? ',
  '- ',
  '[',
  '{',
  '"',
  "'",
  '|',
  '>-',
  '#',
  '---',
  '...',
  ',',
  ': ',
  '\t',
  '\r',
  '\u0000',
  '\ufeff',
  '\ud83d',
  '__proto__: {polluted: 1}',
  'constructor',
  '.inf',
  '-.nan',
  '0x7fffffffffffffff',
  '1e999',
  '-0',
  '~',
  '2001-12-14t21:59:43.10-05:00',
  '9007199254740993',
];

const indented = (line: string, by: number): string =>
  by >= 0 ? ' '.repeat(by) + line : line.slice(Math.min(-by, /^ */.exec(line)![0].length));

type Edit = (dice: Dice, lines: string[], others: readonly string[]) => void;

const EDITS: readonly Edit[] = [
  (dice, lines) => void lines.splice(dice.below(lines.length), 1),
  (dice, lines) => {
    const at = dice.below(lines.length);
    lines.splice(at, 0, ...new Array<string>(1 + dice.below(3)).fill(lines[at]!));
  },
  (dice, lines, others) => void lines.splice(dice.below(lines.length + 1), 0, dice.pick(others)),
  (dice, lines) => change(dice, lines, (line) => indented(line, dice.below(9) - 4)),
  (dice, lines) => change(dice, lines, (line) => line + dice.pick(WORDS)),
  (dice, lines) =>
    change(dice, lines, (line) => {
      const at = dice.below(line.length + 1);
      return line.slice(0, at) + dice.pick(WORDS) + line.slice(at);
    }),
  (dice, lines) =>
    change(dice, lines, (line) => line.replace(/[^:,[\]{}]+$/, ` ${dice.pick(WORDS)}`)),
  (dice, lines) =>
    change(dice, lines, (line) =>
      line.replace(/\d+(\.\d+)?/, () => dice.pick(['-1', '0', '1e308', '0.5', '1e21', '65536'])),
    ),
  (dice, lines, others) =>
    change(dice, lines, (line) => line.replace(/[\w.-]+/, wordOf(dice, dice.pick(others)))),
];

const wordOf = (dice: Dice, line: string): string => dice.pick(line.match(/[\w.-]+/g) ?? ['x']);

function change(dice: Dice, lines: string[], how: (line: string) => string): void {
  const at = dice.below(lines.length);
  lines[at] = how(lines[at]!);
}

const linesOf = (bytes: Uint8Array): string[] => Buffer.from(bytes).toString().split('\n');

export const mutateText: Mutator = mixed((dice, input, others) => {
  const lines = linesOf(input);
  const given = linesOf(dice.pick(others));
  for (let left = 1 + dice.below(4); left > 0 && lines.length > 0; left--) {
    dice.pick(EDITS)(dice, lines, given);
  }
  return new Uint8Array(Buffer.from(lines.join('\n')));
});
