import { parentPort } from 'node:worker_threads';
import { errorMessage } from '@starling/core';
import { kernels, type TaskName } from './compute.ts';

/** Entry of a worker thread: one task in, one answer out. Compute-pool.ts is its other end. */
interface Job {
  readonly id: number;
  readonly name: TaskName;
  readonly input: never;
}

parentPort!.on('message', ({ id, name, input }: Job) => {
  try {
    parentPort!.postMessage({ id, output: kernels[name](input) });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
    parentPort!.postMessage({ id, error: errorMessage(error), code });
  }
});
