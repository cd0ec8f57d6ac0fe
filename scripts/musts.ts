/**
 * Holds the specs to their word: every MUST has an id, every id is in the title of a test. With
 * `--list` it prints the whole table.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { fault, filesBelow, foldersIn, isMain, lineAt, report } from './source-text.ts';

/** First letter of each protocol's ids. */
const LETTERS: ReadonlyMap<string, string> = new Map([
  ['blobs', 'B'],
  ['infer', 'I'],
  ['membership', 'M'],
  ['models', 'C'],
  ['reach', 'N'],
  ['rounds', 'R'],
  ['secagg', 'S'],
]);

const TEST_FOLDERS = ['packages', 'protocols', 'test', 'apps'];
const ID = /\[([A-Z]-\d+)\]/g;

/** A sentence of a spec that says MUST, or has an id. */
export interface Rule {
  readonly path: string;
  readonly line: number;
  readonly sentence: string;
  readonly ids: readonly string[];
  /** `path "title"` of each test that holds an id of this rule. */
  readonly tests: readonly string[];
}

/** All rules below `root`, and `path:line message` of everything to mend. */
export function checkMusts(root: string): { rules: readonly Rule[]; faults: readonly string[] } {
  const protocols = foldersIn(root, 'protocols');
  const held = testedIds(root);
  const faults: string[] = [];
  const rules: Rule[] = [];
  const seen = new Set<string>();
  for (const protocol of protocols) {
    const path = `protocols/${protocol}/spec.md`;
    const letter = LETTERS.get(protocol);
    if (letter === undefined) faults.push(fault(path, 1, 'has no letter for its ids'));
    for (const { line, sentence, ids } of rulesOf(readFileSync(join(root, path), 'utf8'))) {
      if (ids.length === 0) faults.push(fault(path, line, `no id | ${sentence}`));
      for (const id of ids) {
        if (!id.startsWith(`${letter}-`)) faults.push(fault(path, line, `${id} is not its letter`));
        if (seen.has(id)) faults.push(fault(path, line, `${id} is there twice`));
        if (!held.has(id)) faults.push(fault(path, line, `${id} | no test | ${sentence}`));
        seen.add(id);
      }
      rules.push({ path, line, sentence, ids, tests: ids.flatMap((id) => held.get(id) ?? []) });
    }
  }
  for (const [id, tests] of held) {
    if (seen.has(id)) continue;
    faults.push(...tests.map((where) => `${where} ${id} is in no spec`));
  }
  return { rules, faults };
}

/** Ids in the titles of tests and suites, with the places that name them. */
function testedIds(root: string): ReadonlyMap<string, readonly string[]> {
  const held = new Map<string, string[]>();
  for (const path of TEST_FOLDERS.flatMap((folder) => filesBelow(root, '.ts', folder))) {
    const text = readFileSync(join(root, path), 'utf8');
    // Most files name no id: they need not be parsed.
    if (text.search(ID) === -1) continue;
    for (const { title, line } of titlesOf(path, text)) {
      for (const [, id] of title.matchAll(ID)) {
        held.set(id!, [...(held.get(id!) ?? []), fault(path, line, title)]);
      }
    }
  }
  return held;
}

const TITLED = /^(?:test|it|describe|suite)\b/;

/** First arguments of `test(…)`, `describe(…)` and of what `test.each(…)` gives. */
function titlesOf(path: string, text: string): readonly { title: string; line: number }[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found: { title: string; line: number }[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && TITLED.test(node.expression.getText(file))) {
      const [title] = node.arguments;
      if (
        title !== undefined &&
        (ts.isStringLiteralLike(title) || ts.isTemplateExpression(title))
      ) {
        const line = lineAt(text, title.getStart(file));
        found.push({ title: title.getText(file).slice(1, -1), line });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

/** Where a sentence ends, unless it goes on in small letters. */
const SENTENCE_END = /(?<=[.!?:][)_*`]*)\s+(?=[^a-z\s])/;
/** A line that begins a block of its own: an empty one, a heading, an item, a row of a table. */
const BLOCK_START = /^\s*(?:$|#|[-*] |\d+\. |\|)/;

/** Sentences that say MUST or carry an id; the one that explains the word is none. */
export function rulesOf(spec: string): readonly Pick<Rule, 'line' | 'sentence' | 'ids'>[] {
  return blocksOf(spec).flatMap(({ line, text }) => {
    let at = 0;
    return text.split(SENTENCE_END).flatMap((part) => {
      const start = text.indexOf(part, at);
      at = start + part.length;
      const ids = [...part.matchAll(ID)].map(([, id]) => id!);
      const isRule = (/\bMUST\b/.test(part) && !part.includes('RFC 2119')) || ids.length > 0;
      const sentence = part.replace(/\s+/g, ' ').trim();
      return isRule ? [{ line: line + lineAt(text, start) - 1, sentence, ids }] : [];
    });
  });
}

/** Paragraphs, items and rows, with the line of each; code between fences is left out. */
function blocksOf(spec: string): readonly { line: number; text: string }[] {
  const blocks: { line: number; text: string }[] = [];
  let isCode = false;
  let isOpen = false;
  for (const [i, text] of spec.split('\n').entries()) {
    const isFence = text.startsWith('```');
    if (isFence) isCode = !isCode;
    if (isFence || isCode) {
      isOpen = false;
      continue;
    }
    if (isOpen && !BLOCK_START.test(text)) blocks.at(-1)!.text += `\n${text}`;
    else blocks.push({ line: i + 1, text });
    isOpen = text.trim() !== '';
  }
  return blocks;
}

function printTable(rules: readonly Rule[]): void {
  for (const { path, line, sentence, ids, tests } of rules) {
    const named = tests.length === 0 ? 'none' : tests.join('; ');
    process.stdout.write(`${path}:${line} ${sentence} | ${ids.join(' ')} | ${named}\n`);
  }
}

if (isMain(import.meta.url)) {
  const { rules, faults } = checkMusts(process.cwd());
  if (process.argv.includes('--list')) printTable(rules);
  report('musts', faults);
}
