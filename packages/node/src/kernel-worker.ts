import { parentPort } from 'node:worker_threads';
import { errorMessage } from '@starling/core';
import { type ComputeTasks, kernels, type TaskName } from './compute.ts';
import { movable } from './transfers.ts';

/** Entry of a worker thread: one task in, one answer out. Compute-pool.ts is its other end. */
interface Job {
  readonly id: number;
  readonly name: TaskName;
  readonly input: never;
}

/** Everything a kernel gives is made anew, so all of it may move. */
function viewsIn(output: ComputeTasks[TaskName]['out']): readonly ArrayBufferView[] {
  if ('words' in output) return [output.words];
  if ('chunks' in output) return output.chunks;
  if ('sums' in output) return output.sums.map(({ bytes }) => bytes);
  return [output.state];
}

parentPort!.on('message', ({ id, name, input }: Job) => {
  try {
    const output = kernels[name](input);
    parentPort!.postMessage({ id, output }, movable(viewsIn(output)));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
    parentPort!.postMessage({ id, error: errorMessage(error), code });
  }
});
