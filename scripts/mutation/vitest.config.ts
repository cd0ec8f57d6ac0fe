import { defineConfig } from 'vitest/config';

/** Unless told: the tests beside the mutated files, and nothing that starts processes. */
const BESIDE = [
  'packages/{secagg,privacy}/src/**/*.test.ts',
  'packages/autodiff/src/{rules,rules-elementwise,rules-reduce,rules-edges}.test.ts',
];
/** Patterns with semicolons between: whole sessions take half a minute for each change. */
const wanted = process.env['MUTATION_TESTS'];

export default defineConfig({
  test: { include: wanted === undefined ? BESIDE : wanted.split(';'), testTimeout: 120_000 },
});
