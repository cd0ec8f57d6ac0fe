import { CommanderError } from 'commander';
import { expect, test } from 'vitest';
import { reportFailure } from '../failures.ts';
import { createProgram } from '../program.ts';

test.each(['nope', 'toString'])(
  'benchmark "%s" is wrong usage, and the names are said',
  async (name) => {
    const error = await createProgram()
      .parseAsync(['bench', name], { from: 'user' })
      .catch((error: unknown) => error);
    expect(error).toBeInstanceOf(CommanderError);
    expect((error as CommanderError).message).toMatch(/the benchmarks are masking/);
    expect(reportFailure(error, false)).toBe(2);
  },
);
