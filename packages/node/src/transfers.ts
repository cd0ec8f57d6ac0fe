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
