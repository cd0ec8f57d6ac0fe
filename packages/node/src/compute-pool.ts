import { Worker } from 'node:worker_threads';
import { InvariantError, ProtocolError } from '@starling/core';
import type { Compute, ComputeTasks, TaskName } from './compute.ts';
import { movable } from './transfers.ts';

interface Waiting {
  readonly resolve: (output: never) => void;
  readonly reject: (error: Error) => void;
}
interface Answer {
  readonly id: number;
  readonly output?: never;
  readonly error?: string;
  readonly code?: string;
}

const isStopping = (): Error => new ProtocolError('closed', 'the node is stopping');

/** Vectors that the caller of a task has no more use for: see the docs of `ComputeTasks`. */
function givenAway<N extends TaskName>(
  name: N,
  input: ComputeTasks[N]['in'],
): readonly ArrayBufferView[] {
  if (name === 'quantise') return [(input as ComputeTasks['quantise']['in']).update];
  if (name !== 'apply') return [];
  const { state, words } = input as ComputeTasks['apply']['in'];
  return [state, words];
}

/**
 * Kernels on one worker thread, so that no turn of the daemon's loop grows with the model. One is
 * enough: the trainer has the other cores, and tasks of one round follow each other.
 */
export function createComputePool(entry: URL): Compute {
  const waiting = new Map<number, Waiting>();
  let worker: Worker | undefined;
  let next = 0;
  let closed = false;

  const failAll = (error: Error) => {
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
    worker = undefined;
  };
  const start = (): Worker => {
    const started = new Worker(entry);
    started.unref();
    started.on('message', (answer: Answer) => {
      const task = waiting.get(answer.id);
      waiting.delete(answer.id);
      if (answer.error === undefined) task?.resolve(answer.output as never);
      else if (answer.code !== undefined)
        task?.reject(new ProtocolError(answer.code, answer.error));
      else task?.reject(new InvariantError(answer.error));
    });
    started.on('error', failAll);
    return started;
  };

  return {
    run(name, input) {
      if (closed) return Promise.reject(isStopping());
      worker ??= start();
      const id = next++;
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        worker!.postMessage({ id, name, input }, movable(givenAway(name, input)));
      });
    },
    async close() {
      closed = true;
      await worker?.terminate();
      failAll(isStopping());
    },
  };
}
