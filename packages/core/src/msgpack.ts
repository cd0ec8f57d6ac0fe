import { Packr } from 'msgpackr';
import { DecodeError } from './errors.ts';
import { LIMITS } from './limits.ts';

/**
 * What the canonical subset of MessagePack can carry: no maps, no extensions, no 64-bit integers.
 */
export type Wire = null | boolean | number | string | Uint8Array | readonly Wire[];

const packr = new Packr({ useRecords: false, moreTypes: false, variableMapSize: true });

export const packWire = (value: Wire): Uint8Array => new Uint8Array(packr.pack(value));

/**
 * Unpacks bytes of the subset. `scan` goes first, so msgpackr never meets an extension or a lying
 * length.
 */
export function unpackWire(bytes: Uint8Array): unknown {
  scan(bytes);
  try {
    // A view of its own: msgpackr hangs a property on what it reads, and the caller's bytes stay
    // as they were.
    return packr.unpack(bytes.subarray());
  } catch {
    throw new DecodeError('message', 'not MessagePack');
  }
}

/** Bytes of the length prefix and of the payload that follow a lead byte; `items` for lists. */
interface Head {
  readonly prefix: 0 | 1 | 2 | 4;
  readonly kind: 'fixed' | 'blob' | 'list';
  readonly size: number;
}

function head(lead: number): Head {
  if (lead <= 0x7f || lead >= 0xe0) return { prefix: 0, kind: 'fixed', size: 0 };
  if (lead >= 0x90 && lead <= 0x9f) return { prefix: 0, kind: 'list', size: lead & 15 };
  if (lead >= 0xa0 && lead <= 0xbf) return { prefix: 0, kind: 'blob', size: lead & 31 };
  const known = HEADS.get(lead);
  if (known === undefined) {
    throw new DecodeError('message', `type byte 0x${lead.toString(16)} is not in the subset`);
  }
  return known;
}

const HEADS: ReadonlyMap<number, Head> = new Map<number, Head>([
  [0xc0, { prefix: 0, kind: 'fixed', size: 0 }],
  [0xc2, { prefix: 0, kind: 'fixed', size: 0 }],
  [0xc3, { prefix: 0, kind: 'fixed', size: 0 }],
  [0xc4, { prefix: 1, kind: 'blob', size: 0 }],
  [0xc5, { prefix: 2, kind: 'blob', size: 0 }],
  [0xc6, { prefix: 4, kind: 'blob', size: 0 }],
  [0xcb, { prefix: 0, kind: 'fixed', size: 8 }],
  [0xcc, { prefix: 0, kind: 'fixed', size: 1 }],
  [0xcd, { prefix: 0, kind: 'fixed', size: 2 }],
  [0xce, { prefix: 0, kind: 'fixed', size: 4 }],
  [0xd0, { prefix: 0, kind: 'fixed', size: 1 }],
  [0xd1, { prefix: 0, kind: 'fixed', size: 2 }],
  [0xd2, { prefix: 0, kind: 'fixed', size: 4 }],
  [0xd9, { prefix: 1, kind: 'blob', size: 0 }],
  [0xda, { prefix: 2, kind: 'blob', size: 0 }],
  [0xdc, { prefix: 2, kind: 'list', size: 0 }],
]);

/**
 * Walks the bytes once without allocating: every length fits, depth and item count stay under
 * LIMITS.
 */
function scan(bytes: Uint8Array): void {
  let at = 0;
  let items = 0;
  const open: number[] = [1];
  while (open.length > 0) {
    const left = open.pop()!;
    if (left === 0) continue;
    open.push(left - 1);
    if (++items > LIMITS.codecItemsMax) throw new DecodeError('message', 'too many items');
    if (at >= bytes.length) throw new DecodeError('message', 'ends early');
    const { prefix, kind, size } = head(bytes[at++]!);
    let length = size;
    for (let i = 0; i < prefix; i++) length = length * 256 + (bytes[at++] ?? Number.NaN);
    if (kind === 'list') {
      if (open.length >= LIMITS.codecDepthMax) throw new DecodeError('message', 'nested too deep');
      open.push(length);
    } else {
      at += length;
    }
    if (!(at <= bytes.length)) throw new DecodeError('message', 'ends early');
  }
  if (at !== bytes.length) throw new DecodeError('message', 'bytes after the end');
}
