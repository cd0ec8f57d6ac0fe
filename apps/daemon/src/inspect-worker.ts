import { parentPort, workerData } from 'node:worker_threads';
import { failureOf, type Inspect } from '@starling/control';
import { inspectData } from './inspect-data.ts';
import type { Inspected } from './inspections.ts';

/** Entry of the thread that looks at one data set. */
let inspected: Inspected;
try {
  inspected = { ok: true, view: await inspectData(workerData as Inspect) };
} catch (error) {
  inspected = { ok: false, failure: failureOf(error).body };
}
parentPort?.postMessage(inspected);
