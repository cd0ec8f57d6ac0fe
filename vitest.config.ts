import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [
      'packages/**/src/**/*.test.ts',
      'protocols/**/*.test.ts',
      'apps/**/src/**/*.test.ts',
      'scripts/*.test.ts',
      'test/**/*.test.ts',
    ],
    exclude: ['**/node_modules/**', '**/dist/**'],
    // Processes, not threads: a native add-on that aborts takes only its own file down.
    pool: 'forks',
    maxWorkers: 2,
    // What programs print is compared: they must not colour it where the runner's own is coloured.
    env: { FORCE_COLOR: '0' },
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
