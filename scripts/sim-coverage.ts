/**
 * Which fault befell peers in which phase, over the seeds of test/scenarios:
 * `npm run sim:coverage -- [--seeds 200] [--json]`. Prints the table of docs/simulation.md.
 */
import { parseArgs } from 'node:util';
import { addCoverage, FAULT_KINDS, missingIn, simulate } from '@starling/sim';
import { optionsOf } from '../test/scenarios/seed-options.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    json: { type: 'boolean', default: false },
  },
});
const tables = [];
for (let seed = 1; seed <= Number(values.seeds); seed++) {
  tables.push((await simulate(optionsOf(seed))).coverage);
}
const table = addCoverage(tables);
const missing = missingIn(table);
const row = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
if (values.json) {
  process.stdout.write(`${JSON.stringify({ seeds: tables.length, table, missing }, null, 2)}\n`);
} else {
  const lines = [
    row(['phase', ...FAULT_KINDS]),
    row(['---', ...FAULT_KINDS.map(() => '---:')]),
    ...Object.entries(table).map(([phase, counts]) =>
      row([phase, ...FAULT_KINDS.map((kind) => counts[kind])]),
    ),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
if (missing.length > 0) process.stderr.write(`Never reached: ${missing.join(', ')}\n`);
process.exitCode = missing.length > 0 ? 1 : 0;
