// Bundles what runs as a process of its own: command line, daemons, trainer child, kernel worker.
// Workspace packages export TypeScript source, so there is one build step and no stale output.
import { readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build } from 'esbuild';

const entries = {
  starling: 'apps/cli/src/main.ts',
  daemon: 'apps/daemon/src/main.ts',
  'demo-daemon': 'apps/daemon/src/demo-main.ts',
  'trainer-child': 'packages/trainer/src/child-main.ts',
  'kernel-worker': 'packages/node/src/kernel-worker.ts',
};

const outdir = 'apps/cli/dist';
const { metafile } = await build({
  entryPoints: entries,
  outdir,
  metafile: true,
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

// Old chunks go last, so that a process that starts meanwhile finds all it imports.
const current = new Set(Object.keys(metafile.outputs).map((path) => basename(path)));
for (const name of readdirSync(outdir)) {
  if (!current.has(name)) rmSync(join(outdir, name));
}
