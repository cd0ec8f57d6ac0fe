import { parentPort, workerData } from 'node:worker_threads';
import { failureOf } from '@starling/control';
import { verifyCard } from '@starling/models';
import type { ThreadAnswer } from './in-thread.ts';
import { draftCard } from './model-draft.ts';
import type { ModelTask } from './model-thread.ts';

/** Entry of the thread that reads models and walks chains. */
const work = (task: ModelTask): unknown =>
  task.kind === 'draft' ? draftCard(task.parts) : verifyCard(task.files).fault;

let answer: ThreadAnswer<unknown>;
try {
  answer = { ok: true, value: work(workerData as ModelTask) };
} catch (error) {
  answer = { ok: false, failure: failureOf(error).body };
}
parentPort?.postMessage(answer);
