import { openTarget } from '@starling/storage';
import { patternBytes } from '../patterns.ts';

/**
 * Writes a file of `length` bytes to a target, again and again with `again`, each time of another
 * seed out of two. Prints a line whenever it is further.
 */
const [place = '', name = '', length = '0', again] = process.argv.slice(2);
const target = await openTarget('output', place);
const onProgress = (done: number) => process.stdout.write(`${done}\n`);
let seed = 0;
do {
  await target.put(name, patternBytes(Number(length), seed), { onProgress });
  seed = 1 - seed;
} while (again === 'again');
await target.close();
