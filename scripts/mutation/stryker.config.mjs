/**
 * `npm run mutation -- [--mutate FILES]`: changes the decisive files one place at a time and counts
 * the changes that no test notices. Takes up to an hour of one core; docs/mutation.md has results.
 */

/** What decides who learns what, what noise costs, and what a gradient is. */
const DECISIVE = [
  'packages/privacy/src/{zcdp,rdp,discrete-gaussian,clipping}.ts',
  'packages/secagg/src/{decide,shared-unmasking,audits}.ts',
  'packages/secagg/src/ring/{budget,kernels,masks,packing,tags,words}.ts',
  'packages/autodiff/src/{rules-elementwise,rules-reduce}.ts',
];

export default {
  testRunner: 'vitest',
  vitest: { configFile: 'scripts/mutation/vitest.config.ts', related: true },
  plugins: ['@stryker-mutator/vitest-runner'],
  mutate: DECISIVE,
  // Text for people: tests state outcomes, not words.
  mutator: { excludedMutations: ['StringLiteral'] },
  coverageAnalysis: 'perTest',
  ignoreStatic: true,
  concurrency: 1,
  timeoutMS: 4_000,
  timeoutFactor: 2,
  reporters: ['progress-append-only', 'clear-text', 'json'],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  jsonReporter: { fileName: 'test-results/mutation.json' },
  tempDirName: 'coverage/mutation',
  // The copy that is mutated needs sources and no more.
  ignorePatterns: ['bench', 'deploy', 'docs', 'oom', 'test-results', '**/dist', 'test/fixtures'],
  allowEmpty: false,
};
