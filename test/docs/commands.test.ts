import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { createProgram } from '../../apps/cli/src/program.ts';
import { filesBelow } from '../../scripts/source-text.ts';
import { blocksOf, callsOf } from './blocks.ts';

const ROOT = join(import.meta.dirname, '../..');
const PAGES = filesBelow(ROOT, '.md').filter((path) => !path.startsWith('test/fixtures/'));

/** What is wrong with a call, going down the tree of commands; undefined when nothing is. */
function faultOf(words: readonly string[]): string | undefined {
  let command: Command = createProgram();
  let rest = [...words];
  for (;;) {
    const next = command.commands.find((each) => each.name() === rest[0]);
    if (next === undefined) break;
    command = next;
    rest = rest.slice(1);
  }
  const [first] = rest;
  const isGroup = command.commands.length > 0 && command.registeredArguments.length === 0;
  if (isGroup && first !== undefined && !first.startsWith('-')) return `no command "${first}"`;
  const unknown = rest
    .filter((word) => /^--?[a-z]/.test(word))
    .map((word) => word.split('=')[0]!)
    .find(
      (word) =>
        word !== '--help' &&
        !command.options.some((option) => [option.short, option.long].includes(word)),
    );
  return unknown === undefined ? undefined : `${command.name()} has no option ${unknown}`;
}

describe('every command that a page shows', () => {
  const pages = PAGES.flatMap((path) => {
    const calls = blocksOf(readFileSync(join(ROOT, path), 'utf8')).flatMap((block) =>
      callsOf(block).map((words) => ({ words, where: `${path}:${block.line}` })),
    );
    return calls.length === 0 ? [] : [{ path, calls }];
  });

  test.each(pages)('exists, with its options: $path', ({ calls }) => {
    const faults = calls.flatMap(({ words, where }) => {
      const fault = faultOf(words);
      return fault === undefined ? [] : [`${where}: ${fault} (starling ${words.join(' ')})`];
    });
    expect(faults).toEqual([]);
  });

  test('is found at all', () => {
    expect(pages.map(({ path }) => path)).toContain('README.md');
    expect(pages.flatMap(({ calls }) => calls).length).toBeGreaterThan(60);
  });
});

describe('reading a page', () => {
  const PAGE = [
    '<!-- run: ada -->',
    '```sh',
    "cat > x <<'END'",
    'starling bogus',
    'END',
    'starling jobs   # all of them',
    'until npx starling jobs | grep -q "a b"; do starling status --json; done',
    '```',
    '<!-- run: bob',
    'starling stop',
    '-->',
    '',
    '```sh',
    'starling launch "my job.yaml" \\',
    '  --json',
    '```',
  ].join('\n');

  test('tells who types what, hidden blocks too', () => {
    const blocks = blocksOf(PAGE);
    expect(blocks.map(({ actor }) => actor)).toEqual(['ada', 'bob', undefined]);
    expect(blocks.flatMap(callsOf)).toEqual([
      ['jobs'],
      ['jobs'],
      ['status', '--json'],
      ['stop'],
      ['launch', 'my job.yaml', '--json'],
    ]);
  });

  test.each([
    [['bogus'], 'no command "bogus"'],
    [['data', 'bogus'], 'no command "bogus"'],
    [['status', '--bogus'], 'status has no option --bogus'],
    [['jobs', 'approve', 'x', '--data', 'y'], undefined],
  ])('finds what is wrong with %j', (words, fault) => {
    expect(faultOf(words)).toBe(fault);
  });
});
