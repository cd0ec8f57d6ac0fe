import { parentPort } from 'node:worker_threads';
import { errorMessage } from '@starling/core';
import type { TaskName } from './compute.ts';
import { kernels } from './kernels.ts';
import { free, givenAway, movable } from './transfers.ts';

/** Entry of a worker thread: one task in, one answer out. Compute-pool.ts is its other end. */
interface Job {
  readonly name: TaskName;
  readonly input: never;
}

parentPort!.on('message', ({ name, input }: Job) => {
  try {
    const output = kernels[name](input);
    free(movable(givenAway(name, input)));
    // Everything a kernel gives is made anew, so what is not shared may move.
    const views = Object.values(output).filter((value) => ArrayBuffer.isView(value));
    parentPort!.postMessage({ output }, movable(views));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
    parentPort!.postMessage({ error: errorMessage(error), code });
  }
});
