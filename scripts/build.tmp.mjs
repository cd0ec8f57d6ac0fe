// Bundles what runs as a process of its own: command line, daemons, trainer child, kernel worker.
// Workspace packages export TypeScript source, so there is one build step and no stale output.
import { existsSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const entries = {
  starling: 'apps/cli/src/demo/tmp-main.ts',
  daemon: 'apps/daemon/src/main.ts',
  'demo-daemon': 'apps/daemon/src/demo-main.ts',
  'trainer-child': 'packages/trainer/src/child-main.ts',
  'kernel-worker': 'packages/node/src/kernel-worker.ts',
};

const outdir = 'apps/cli/distx';
rmSync(outdir, { recursive: true, force: true });
await build({
  // While a package of the house is still to be written its entry is missing; the rest builds.
  entryPoints: Object.fromEntries(Object.entries(entries).filter(([, path]) => existsSync(path))),
  outdir,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  sourcemap: true,
  logLevel: 'warning',
  plugins: [
    {
      name: 'third-party-stays-outside',
      setup({ onResolve }) {
        onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
          kind === 'entry-point' || path.startsWith('@starling/') ? null : { path, external: true },
        );
      },
    },
  ],
});
