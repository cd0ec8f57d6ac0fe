/** Writes docs/autodiff/sweep.json: how the models of Debian's libonnx-testdata fare. */
import { writeFileSync } from 'node:fs';
import { sweep } from '../test/autodiff/sweep.ts';
import { SWEEP_FILE } from '../test/autodiff/sweep-file.ts';
import { missingTestData } from '../test/autodiff/test-data.ts';

const missing = missingTestData();
if (missing !== undefined) throw new Error(missing);
const { summary, faults, worst } = await sweep();
for (const fault of faults) console.error(fault);
console.log(`${JSON.stringify(summary.outcomes)}, largest relative difference ${worst}`);
writeFileSync(SWEEP_FILE, `${JSON.stringify(summary, null, 2)}\n`);
process.exitCode = faults.length === 0 ? 0 : 1;
