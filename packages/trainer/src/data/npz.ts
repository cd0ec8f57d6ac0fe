import { errorMessage, ProtocolError } from '@starling/core';
import { unzipSync } from 'fflate';
import type { ArrayFile } from './arrays.ts';
import type { RangeFile } from './file-store.ts';
import { openNpy } from './npy.ts';
import { corrupt } from './source.ts';

/** A zip file is unpacked into memory as a whole. */
const BYTES_MAX = 2 ** 31;
/** Deflate makes at most 258 bytes of two bits (RFC 1951 §3.2.5). */
const DEFLATE_RATIO_MAX = 1_032;

/**
 * The arrays of a file that `numpy.savez` or `numpy.savez_compressed` wrote, by their names.
 * @throws ProtocolError `dataset-corrupt` naming file and array
 */
export async function openNpz(file: RangeFile): Promise<ReadonlyMap<string, ArrayFile>> {
  const arrays = new Map<string, ArrayFile>();
  for (const [path, bytes] of Object.entries(await unpack(file))) {
    if (!path.endsWith('.npy')) continue;
    const member = memoryFile(`${file.name}, array "${path.slice(0, -4)}"`, bytes);
    arrays.set(path.slice(0, -'.npy'.length), await openNpy(member));
  }
  await file.close();
  if (arrays.size === 0) throw corrupt(file.name, 'holds no array', 'Write it with numpy.savez');
  return arrays;
}

async function unpack(file: RangeFile): Promise<Record<string, Uint8Array>> {
  const remedy = 'Save each array in a .npy file of its own: these are read piece by piece';
  const limit = (bytes: number) => {
    if (bytes > BYTES_MAX) throw corrupt(file.name, `more than ${BYTES_MAX} bytes`, remedy);
  };
  limit(file.byteLength);
  const packed = await file.read(0, file.byteLength);
  const whole = 'Is it a whole .npz file? Write it again';
  let total = 0;
  let totalPacked = 0;
  try {
    return unzipSync(packed, {
      // Memory is taken for what a member says it holds, before it is looked at.
      filter: ({ name, size, originalSize }) => {
        total += originalSize;
        totalPacked += size;
        limit(total);
        if (totalPacked > packed.length || originalSize > DEFLATE_RATIO_MAX * size) {
          const claim = `"${name}" cannot be ${originalSize} bytes in ${size} of this file`;
          throw corrupt(file.name, claim, whole);
        }
        return true;
      },
    });
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    throw corrupt(file.name, errorMessage(error), whole);
  }
}

function memoryFile(name: string, bytes: Uint8Array): RangeFile {
  return {
    name,
    byteLength: bytes.length,
    read: async (start, end) => bytes.slice(start, end),
    close: async () => {},
  };
}
