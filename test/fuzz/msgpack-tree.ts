/** MessagePack as a tree that can be changed and written with lies in it. */

/** `lie` is written as the length in place of the true one; `width` as the size of that length. */
export type Tree =
  | { kind: 'atom'; bytes: Uint8Array }
  | { kind: 'blob'; text: boolean; payload: Uint8Array; lie?: number; width?: number }
  /** A byte string that is a frame itself. */
  | { kind: 'frame'; inner: Tree }
  | { kind: 'list'; items: Tree[]; lie?: number; width?: number };

export const from = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);
export const atom = (bytes: Uint8Array): Tree => ({ kind: 'atom', bytes });

/** The value at `at` and where it ends; undefined when it is not one whole value of the subset. */
function read(bytes: Uint8Array, at: number, depth: number): [Tree, number] | undefined {
  const lead = bytes[at];
  if (lead === undefined || depth > 64) return undefined;
  const { prefix, kind, size } = headOf(lead);
  if (kind === undefined) return undefined;
  let length = size;
  for (let i = 1; i <= prefix; i++) length = length * 256 + (bytes[at + i] ?? Number.NaN);
  const start = at + 1 + prefix;
  if (kind === 'list') return readItems(bytes, start, length, depth);
  const end = start + length;
  if (!(end <= bytes.length)) return undefined;
  if (kind === 'atom') return [atom(bytes.slice(at, end)), end];
  const payload = bytes.slice(start, end);
  const inner = kind === 'text' ? undefined : readWhole(payload, depth + 1);
  if (inner?.kind === 'list') return [{ kind: 'frame', inner }, end];
  return [{ kind: 'blob', text: kind === 'text', payload }, end];
}

function readItems(
  bytes: Uint8Array,
  start: number,
  length: number,
  depth: number,
): [Tree, number] | undefined {
  const items: Tree[] = [];
  let at = start;
  while (items.length < length) {
    const item = read(bytes, at, depth + 1);
    if (item === undefined) return undefined;
    items.push(item[0]);
    at = item[1];
  }
  return [{ kind: 'list', items }, at];
}

const ATOM_SIZES = new Map([
  ...[0xc0, 0xc2, 0xc3].map((lead) => [lead, 0] as const),
  ...[0xcc, 0xd0].map((lead) => [lead, 1] as const),
  ...[0xcd, 0xd1].map((lead) => [lead, 2] as const),
  ...[0xce, 0xd2, 0xca].map((lead) => [lead, 4] as const),
  ...[0xcb, 0xcf, 0xd3].map((lead) => [lead, 8] as const),
]);

interface Head {
  readonly prefix: number;
  readonly kind: 'atom' | 'text' | 'bytes' | 'list' | undefined;
  readonly size: number;
}

function headOf(lead: number): Head {
  if (lead <= 0x7f || lead >= 0xe0) return { prefix: 0, kind: 'atom', size: 0 };
  if (lead >= 0x90 && lead <= 0x9f) return { prefix: 0, kind: 'list', size: lead & 15 };
  if (lead >= 0xa0 && lead <= 0xbf) return { prefix: 0, kind: 'text', size: lead & 31 };
  if (lead >= 0xc4 && lead <= 0xc6) return { prefix: 2 ** (lead - 0xc4), kind: 'bytes', size: 0 };
  if (lead >= 0xd9 && lead <= 0xdb) return { prefix: 2 ** (lead - 0xd9), kind: 'text', size: 0 };
  if (lead === 0xdc || lead === 0xdd)
    return { prefix: lead === 0xdc ? 2 : 4, kind: 'list', size: 0 };
  const size = ATOM_SIZES.get(lead);
  return { prefix: 0, kind: size === undefined ? undefined : 'atom', size: size ?? 0 };
}

export function readWhole(bytes: Uint8Array, depth = 0): Tree | undefined {
  const found = read(bytes, 0, depth);
  return found?.[1] === bytes.length ? found[0] : undefined;
}

export function write(tree: Tree): Uint8Array {
  switch (tree.kind) {
    case 'atom':
      return tree.bytes;
    case 'frame':
      return write({ kind: 'blob', text: false, payload: write(tree.inner) });
    case 'list': {
      const { items, lie, width } = tree;
      return Buffer.concat([lengthHead('list', lie ?? items.length, width), ...items.map(write)]);
    }
    case 'blob': {
      const { text, payload, lie, width } = tree;
      const kind = text ? 'text' : 'bytes';
      return Buffer.concat([lengthHead(kind, lie ?? payload.length, width), payload]);
    }
  }
}

/** Lead and length, the shortest unless `width` asks for more bytes. */
function lengthHead(kind: 'list' | 'text' | 'bytes', length: number, width = 0): Uint8Array {
  const most = { list: 15, text: 31, bytes: -1 }[kind];
  const base = { list: 0x90, text: 0xa0, bytes: 0 }[kind];
  if (width === 0 && length <= most) return from(base + length);
  const least = kind === 'list' ? 2 : 1;
  const fits = length < 2 ** 8 ? 1 : length < 2 ** 16 ? 2 : 4;
  const bytes = Math.max(width, fits, least);
  const lead = { list: 0xdb, text: 0xd9, bytes: 0xc4 }[kind] + Math.log2(bytes);
  const out = Buffer.alloc(5);
  out.writeUInt32BE(length >>> 0, 1);
  return from(lead, ...out.subarray(5 - bytes));
}
