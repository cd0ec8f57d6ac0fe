import { parentPort, workerData } from 'node:worker_threads';
import { failureOf, type Inspect, type InspectionView } from '@starling/control';
import type { ThreadAnswer } from './in-thread.ts';
import { inspectData } from './inspect-data.ts';

/** Entry of the thread that looks at one data set. */
let inspected: ThreadAnswer<InspectionView>;
try {
  inspected = { ok: true, value: await inspectData(workerData as Inspect) };
} catch (error) {
  inspected = { ok: false, failure: failureOf(error).body };
}
parentPort?.postMessage(inspected);
