#!/usr/bin/env node
// Committed launcher: the program itself is built into dist/ by the root `prepare` script.
import { existsSync } from 'node:fs';

const program = new URL('../dist/starling.js', import.meta.url);
if (existsSync(program)) {
  await import(program.href);
} else {
  process.stderr.write(
    'starling: the program is not built. Run `npm ci` (or `npm run build`) in the repository\n',
  );
  process.exitCode = 1;
}
