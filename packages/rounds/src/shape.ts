import { updateCodec } from '@starling/federation';
import type { Manifest } from '@starling/protocol-rounds';
import type { RingShape } from '@starling/secagg';
import { codecOf } from './job-codec.ts';

const CHUNK_BYTES_MIN = 16 * 1024;
const CHUNK_BYTES_MAX = 256 * 1024;

/**
 * How the job's vector is cut in a roster of `members`: about two chunks an owner, so that the work
 * spreads evenly, and no chunk larger than one frame.
 */
export function ringShapeOf(manifest: Manifest, length: number, members: number): RingShape {
  const { ringBits: bits } = manifest.aggregation;
  const share = Math.ceil((length * bits) / 8 / (2 * members));
  const chunkBytes = Math.min(CHUNK_BYTES_MAX, Math.max(CHUNK_BYTES_MIN, share));
  return { length, bits, coordinateMax: updateCodec(codecOf(manifest)).wordMax, chunkBytes };
}
