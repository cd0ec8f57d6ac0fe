import { openNpy } from './npy.ts';

/** Numbers with their shape, in row-major order. */
export interface NumberArray {
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
}

/**
 * A whole NumPy array file in memory.
 * @param name for errors
 * @throws ProtocolError `dataset-corrupt` as `openNpy`
 */
export async function readNpy(bytes: Uint8Array, name: string): Promise<NumberArray> {
  const file = await openNpy({
    ...{ name, byteLength: bytes.length },
    read: async (start, end) => bytes.subarray(start, end),
    close: async () => {},
  });
  const [rows = 0] = file.shape;
  return { shape: file.shape, values: await file.rows(0, rows) };
}
