/** Changes MessagePack by its structure: items, lengths, number formats; also in nested frames. */
import { HOSTILE } from './hostile-values.ts';
import { atom, from, readWhole, type Tree, write } from './msgpack-tree.ts';
import { type Dice, EDGE_WORDS, type Mutator, mixed } from './mutate.ts';

type List = Extract<Tree, { kind: 'list' }>;

function listsOf(tree: Tree): List[] {
  if (tree.kind === 'frame') return listsOf(tree.inner);
  return tree.kind === 'list' ? [tree, ...tree.items.flatMap(listsOf)] : [];
}

/** Items that one change may add. */
const COPIED_MAX = 4_096;

function sizeOf(tree: Tree): number {
  if (tree.kind === 'frame') return 1 + sizeOf(tree.inner);
  return tree.kind === 'list' ? tree.items.reduce((sum, item) => sum + sizeOf(item), 1) : 1;
}

/**
 * A copy to be changed by itself: one list in 300 places would grow in all of them at once. Bytes
 * are only ever replaced, so they are shared.
 */
function copyOf(tree: Tree): Tree {
  if (tree.kind === 'frame') return { ...tree, inner: copyOf(tree.inner) };
  return tree.kind === 'list' ? { ...tree, items: tree.items.map(copyOf) } : { ...tree };
}

/** Puts something else in place of item `i`. */
function replaceItem(dice: Dice, { items }: List, i: number, donors: readonly List[]): void {
  const item = items[i]!;
  const choice = dice.below(6);
  if (choice === 0) items[i] = atom(dice.pick(HOSTILE));
  else if (choice === 1) items[i] = atom(write({ kind: 'list', items: [], lie: 0 }));
  else if (choice === 2) items[i] = unsigned(dice.pick(EDGE_WORDS));
  else if (choice === 3) {
    const { items: gifts } = dice.pick(donors);
    if (gifts.length > 0) items[i] = structuredClone(dice.pick(gifts));
  } else if (choice === 4) {
    for (let deep = 1 + dice.below(16); deep > 0; deep--) {
      items[i] = { kind: 'list', items: [items[i]!] };
    }
  } else if (item.kind === 'blob') changeBlob(dice, item);
  else if (item.kind === 'frame')
    items[i] = { kind: 'blob', text: false, payload: write(item.inner) };
}

function changeBlob(dice: Dice, blob: Extract<Tree, { kind: 'blob' }>): void {
  const { length } = blob.payload;
  const sizes = [0, 1, length + 1, Math.max(0, length - 1), 31, 32, 33, 256];
  // Of the same length it is read, and what it means is looked at.
  const size = dice.chance(0.6) ? length : dice.pick(sizes);
  const payload = dice.bytes(size);
  if (dice.chance(0.5)) payload.set(blob.payload.subarray(0, size));
  blob.payload = payload;
  if (size === length && dice.chance(0.7)) return;
  if (dice.chance(0.1)) blob.text = !blob.text;
  if (dice.chance(0.2)) blob.lie = dice.pick(EDGE_WORDS);
  if (dice.chance(0.2)) blob.width = dice.pick([1, 2, 4]);
}

/** The shortest form of an unsigned integer. */
function unsigned(value: number): Tree {
  if (value < 0x80) return atom(from(value));
  const size = value < 2 ** 8 ? 0 : value < 2 ** 16 ? 1 : 2;
  const word = Buffer.alloc(4);
  word.writeUInt32BE(value);
  return atom(from(0xcc + size, ...word.subarray(4 - 2 ** size)));
}

function changeList(dice: Dice, list: List, donors: readonly List[]): void {
  const { items } = list;
  const i = dice.below(items.length);
  switch (items.length === 0 ? 5 + dice.below(2) : dice.below(9)) {
    case 0:
      items.splice(i, 1);
      return;
    case 1:
      items.splice(i, 0, structuredClone(items[i]!));
      return;
    case 2:
      [items[0], items[i]] = [items[i]!, items[0]!];
      return;
    case 3: {
      // Copies of copies of copies would be gigabytes.
      const most = Math.floor(COPIED_MAX / sizeOf(items[i]!));
      const copies = Math.min(most, dice.pick([2, 15, 16, 128, 129, 300]));
      items.splice(i, 0, ...Array.from({ length: copies }, () => copyOf(items[i]!)));
      return;
    }
    case 4:
      list.width = dice.pick([2, 4]);
      return;
    case 5:
      list.lie = dice.pick([...EDGE_WORDS, items.length + 1, Math.max(0, items.length - 1)]);
      return;
    case 6:
      items.push(atom(dice.pick(HOSTILE)));
      return;
    default:
      replaceItem(dice, list, i, donors);
  }
}

/** Another value of the same type, so that what is behind the types is reached as well. */
function changeGently(dice: Dice, { items }: List): void {
  const i = dice.below(items.length);
  const item = items[i];
  if (item?.kind === 'atom') {
    const words = [...EDGE_WORDS, dice.below(4), dice.below(256)];
    if (item.bytes.length <= 5 && item.bytes[0] !== 0xc0) items[i] = unsigned(dice.pick(words));
  } else if (item?.kind === 'blob' && item.text) {
    item.payload = Buffer.from('z'.repeat(dice.below(70)));
  } else if (item?.kind === 'blob') {
    item.payload = dice.bytes(item.payload.length);
  } else if (items.length > 1) {
    items.splice(i, dice.below(2), structuredClone(dice.pick(items)));
  }
}

export const mutateMsgpack: Mutator = mixed((dice, input, others) => {
  const tree = readWhole(input);
  if (tree === undefined) return dice.pick(HOSTILE);
  const root: List = { kind: 'list', items: [tree] };
  const donor = readWhole(dice.pick(others)) ?? tree;
  const donors = [...listsOf(tree), ...listsOf(donor), root];
  const isGentle = dice.chance(0.35);
  for (let left = 1 + dice.below(3); left > 0; left--) {
    const list = dice.pick(listsOf(root));
    if (isGentle) changeGently(dice, list);
    else changeList(dice, list, donors);
  }
  return new Uint8Array(Buffer.concat(root.items.map(write)));
});
