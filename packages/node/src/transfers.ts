import type { ComputeTasks, TaskName } from './compute.ts';

/** Below this a copy costs less than the bookkeeping of a transfer. */
const TRANSFER_MIN = 64 * 1024;

/**
 * Buffers that may move to another thread instead of being copied: large ones that are wholly their
 * view's. A view into a larger buffer may have neighbours that somebody still reads.
 */
export function movable(views: readonly ArrayBufferView[]): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const { buffer, byteOffset, byteLength } of views) {
    const whole = byteOffset === 0 && byteLength === buffer.byteLength;
    if (whole && byteLength >= TRANSFER_MIN && buffer instanceof ArrayBuffer) buffers.add(buffer);
  }
  return [...buffers];
}

/** Vectors that the caller of a task has no more use for: see the docs of `ComputeTasks`. */
export function givenAway<N extends TaskName>(
  name: N,
  input: ComputeTasks[N]['in'],
): readonly ArrayBufferView[] {
  if (name === 'quantise') return [(input as ComputeTasks['quantise']['in']).update];
  if (name !== 'decode' && name !== 'apply') return [];
  return [(input as ComputeTasks['decode' | 'apply']['in']).state];
}

/** Closed, so what is sent to it is dropped in the same call: see `MessagePort::PostMessage`. */
const { port1: nowhere } = new MessageChannel();
nowhere.close();

/**
 * Gives memory back at once, by sending it to nobody: the garbage collector goes by the few bytes
 * of a view and lets the 100 MB behind it lie for a long time.
 */
export function free(buffers: readonly ArrayBuffer[]): void {
  nowhere.postMessage(undefined, [...buffers]);
}
