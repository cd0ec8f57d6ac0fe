import { DEVICE_CHOICES } from '@starling/trainer';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { DEVICES } from './commands/up.ts';
import { createProgram } from './program.ts';
import { type CommandEntry, commandAt, describe as describeCommand } from './reference/tree.ts';

const program = describeCommand(createProgram());

const withBelow = (entry: CommandEntry): readonly CommandEntry[] => [
  entry,
  ...entry.commands.flatMap(withBelow),
];
/** All that do something by themselves. */
const commands = program.commands
  .flatMap(withBelow)
  .filter(({ commands: below, more }) => below.length === 0 || more !== '');

describe('every command', () => {
  test('is here', () => {
    expect(commands.length).toBeGreaterThan(40);
    expect(new Set(commands.map(({ path }) => path)).size).toBe(commands.length);
  });

  test.each(commands.map((entry) => [entry.path, entry] as const))(
    '%s has --json, a summary, and examples of itself',
    (path, { options, summary, more, usage }) => {
      expect(options.map(({ name }) => name)).toContain('--json');
      expect(summary).toMatch(/^[a-z].*[^.]$/s);
      expect(more).toMatch(/^Examples?:$/m);
      const shown = [...more.matchAll(/^ {2}\$ (.*)$/gm)].map(([, example]) => example!);
      expect(shown.length).toBeGreaterThan(0);
      expect(shown.every((example) => example.startsWith('starling '))).toBe(true);
      expect(shown.some((example) => example.startsWith(path))).toBe(true);
      expect(usage.startsWith(path)).toBe(true);
    },
  );

  test.each(commands.map(({ path }) => [path] as const))(
    '%s, mistyped, is wrong usage with a suggestion',
    async (path) => {
      const names = path.split(' ').slice(1);
      const last = names.at(-1)!;
      const wrong = [...names.slice(0, -1), `${last.slice(0, -1)}${last.at(-1)}x`];
      const failure = await createProgram()
        .parseAsync(['node', 'starling', ...wrong])
        .then(
          () => undefined,
          (error: unknown) => error as { exitCode: number; code: string; message: string },
        );
      expect(failure).toMatchObject({ exitCode: expect.any(Number) });
      expect(failure?.code).toBe('commander.unknownCommand');
      // Two names may be as near, such as `serve` and `served`.
      const meant = new RegExp(`Did you mean [^?]*\\b${last}\\b`);
      expect(failure?.message.replaceAll('\n', ' ')).toMatch(meant);
    },
  );
});

test('no option promises words that the schema does not take', () => {
  expect(DEVICES).toEqual(DEVICE_CHOICES);
});

test('help is asked for any depth of commands', () => {
  const found: Command = commandAt(createProgram(), ['data', 'add']);
  expect(found.name()).toBe('add');
  expect(() => commandAt(createProgram(), ['data', 'ad'])).toThrow(/Did you mean add\?/);
});
