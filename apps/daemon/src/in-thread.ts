import { Worker } from 'node:worker_threads';
import { errorOf, type Failure } from '@starling/control';
import { ProtocolError } from '@starling/core';

/** What a thread tells at its end. */
export type ThreadAnswer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: Failure };

/**
 * One task in a thread of its own, for what would hold the daemon's loop up: a blocked loop loses
 * its connections.
 * @param entry the thread's script, which posts a `ThreadAnswer`
 * @throws what the task threw
 */
export async function inThread<T>(entry: URL, task: unknown): Promise<T> {
  const worker = new Worker(entry, { workerData: task });
  try {
    const answer = await answerOf<T>(worker);
    if (answer.ok) return answer.value;
    throw errorOf(answer.failure);
  } finally {
    await worker.terminate();
  }
}

const answerOf = <T>(worker: Worker): Promise<ThreadAnswer<T>> =>
  new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) =>
      reject(new ProtocolError('thread', `the thread ended with code ${code}`)),
    );
    // It must not keep a daemon alive that ends.
    worker.unref();
  });
