/**
 * `starling bench masking` from source, without a build: `npx tsx bench/masking.ts [--json]`. What
 * it measures is said in the file that it runs.
 */
import { createProgram } from '../apps/cli/src/program.ts';

await createProgram().parseAsync(['bench', 'masking', ...process.argv.slice(2)], { from: 'user' });
