import { describe, expect, test } from 'vitest';
import { onTree } from './fixture-tree.ts';
import { checkMusts, rulesOf } from './musts.ts';

/** Faults of a rounds spec beside one test file with these titles. */
const faultsOf = (spec: string, ...titles: readonly string[]): readonly string[] =>
  onTree(
    {
      'protocols/rounds/spec.md': spec,
      'packages/rounds/src/a.test.ts': titles.map((title) => `${title};\n`).join(''),
    },
    (root) => checkMusts(root).faults,
  );
const SPEC = 'protocols/rounds/spec.md';

test('a rule with an id that a test names is in order', () => {
  expect(faultsOf('A peer MUST [R-1] wait.\n', "test('waits [R-1]', f)")).toEqual([]);
});

test('a MUST without an id is told with its line and its whole sentence', () => {
  const spec = '# Title\n\nFine so far. A peer MUST\nNOT lie. More.\n';
  expect(faultsOf(spec)).toEqual([`${SPEC}:3 no id | A peer MUST NOT lie.`]);
});

test('an id without a test, of the wrong letter, or there twice', () => {
  expect(faultsOf('It MUST [R-1].\n')).toEqual([`${SPEC}:1 R-1 | no test | It MUST [R-1].`]);
  expect(faultsOf('It MUST [B-1].\n', "test('x [B-1]', f)")).toEqual([
    `${SPEC}:1 B-1 is not its letter`,
  ]);
  expect(faultsOf('It MUST [R-1].\n\n[R-1] again.\n', "test('x [R-1]', f)")).toEqual([
    `${SPEC}:3 R-1 is there twice`,
  ]);
});

test('an id that only a test knows', () => {
  const faults = faultsOf('Nothing.\n', "test('old [R-7]', f)");
  expect(faults).toEqual(['packages/rounds/src/a.test.ts:1 old [R-7] R-7 is in no spec']);
});

test.each([
  "test('x [R-1]', f)",
  "describe('x [R-1]', f)",
  "it.each(cases)('x [R-1]', f)",
  "describe.each(cases)('x [R-1]', () => {})",
  'test(`x [R-1]`, f)',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of a test, not a template
  'test(`seed ${seed} [R-1]`, f)',
])('%s holds', (title) => {
  expect(faultsOf('It MUST [R-1].\n', title)).toEqual([]);
});

test.each(["// test('x [R-1]')\n", "const rule = '[R-1]'", "expect('[R-1]')"])(
  '%s does not hold',
  (title) => {
    expect(faultsOf('It MUST [R-1].\n', title)).toHaveLength(1);
  },
);

describe('sentences', () => {
  const sentences = (spec: string) => rulesOf(spec).map(({ line, ids }) => [line, ...ids]);

  test('items, rows and headings stand for themselves', () => {
    const spec = '# MUST\n- It MUST [R-1] go\n  on.\n- So MUST [R-2].\n| a | MUST [R-3] |\n';
    expect(sentences(spec)).toEqual([[1], [2, 'R-1'], [4, 'R-2'], [5, 'R-3']]);
  });

  test('the line of a sentence that begins inside a paragraph', () => {
    expect(sentences('One. Two.\nThree. It MUST [R-1].\nIt MUST [R-2].\n')).toEqual([
      [2, 'R-1'],
      [3, 'R-2'],
    ]);
  });

  test('the words explained, code, and a small must are no rules', () => {
    const spec = 'Key words MUST, MAY as in RFC 2119. It must.\n\n```\nMUST\n```\nNo MUSTARD.\n';
    expect(sentences(spec)).toEqual([]);
  });
});
