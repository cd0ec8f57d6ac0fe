import { parentPort, workerData } from 'node:worker_threads';
import { failureOf } from '@starling/control';
import { type CheckpointOutcome, type CheckpointTask, runCheckpoint } from './checkpoint-task.ts';
import type { ThreadAnswer } from './in-thread.ts';

/** Entry of the thread that makes a model's file and brings it to where others read it. */
let answer: ThreadAnswer<CheckpointOutcome>;
try {
  answer = { ok: true, value: await runCheckpoint(workerData as CheckpointTask) };
} catch (error) {
  answer = { ok: false, failure: failureOf(error).body };
}
parentPort?.postMessage(answer);
