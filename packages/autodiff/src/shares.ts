import { assert } from '@starling/core';
import { equalShapes } from '@starling/onnx';
import type { Ops } from './ops.ts';
import type { Piece, Product, Share } from './rule.ts';

/**
 * A value's gradient [shape] out of the shares of all its uses: broadcasting is summed away,
 * products are joined to one, pieces that tile an axis are put side by side, and the rest is
 * added. Undefined when there is no share.
 */
export function joinShares(
  g: Ops,
  shares: readonly Share[],
  shape: readonly number[],
): string | undefined {
  // In the order of the forward pass: what is put side by side for two reasons is the same then.
  const inOrder = shares.toReversed();
  const named = inOrder.filter((share) => typeof share === 'string');
  const others = inOrder.filter((share) => typeof share !== 'string');
  const products = others.filter((share) => share.kind === 'product');
  const pieces = others.filter((share) => share.kind === 'piece');
  const terms = [
    ...grouped(named, (name) => `${g.shape(name)}`).map((names) => summedDown(g, names, shape)),
    ...grouped(products, ({ alpha }) => alpha).map((list) => g.reshape(product(g, list), shape)),
    ...grouped(pieces, ({ axis }) => axis).flatMap((list) => layers(g, list, shape)),
  ];
  const total = terms.length === 0 ? undefined : sum(g, terms);
  assert(total === undefined || equalShapes(g.shape(total), shape), 'shape of a gradient');
  return total;
}

function grouped<T, K>(items: readonly T[], key: (item: T) => K): readonly (readonly T[])[] {
  const groups = new Map<K, T[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return [...groups.values()];
}

const sum = (g: Ops, terms: readonly string[]) => terms.reduce((total, term) => g.add(total, term));

/** Values of one shape, added and then summed over the axes along which `shape` was repeated. */
function summedDown(g: Ops, names: readonly string[], shape: readonly number[]): string {
  const from = g.shape(names[0]!);
  const leads = from.length > shape.length || (shape[0] === 1 && from[0] !== 1);
  // One pass over all of them, where the first axis is summed anyway.
  if (names.length > 2 && leads) return g.sumTo(g.concat(names, 0), shape);
  return g.sumTo(sum(g, names), shape);
}

function product(g: Ops, products: readonly Product[]): string {
  const { alpha } = products[0]!;
  const rows = products.map((share) => share.rows);
  const columns = products.map((share) => share.columns);
  return g.gemm(g.concat(rows, 0), g.concat(columns, 0), { transA: true, alpha });
}

interface Interval {
  readonly value: string;
  readonly start: number;
  readonly end: number;
}

/** Pieces along one axis as few whole tensors: each holds pieces that do not overlap. */
function layers(g: Ops, pieces: readonly Piece[], shape: readonly number[]): readonly string[] {
  const { axis } = pieces[0]!;
  const size = (value: string) => g.shape(value)[axis]!;
  const alike = grouped(pieces, ({ start, value }) => `${start} ${size(value)}`);
  const intervals = alike
    .map((list): Interval => {
      const value = sum(
        g,
        list.map((piece) => piece.value),
      );
      return { value, start: list[0]!.start, end: list[0]!.start + size(value) };
    })
    .sort((a, b) => a.start - b.start || a.end - b.end);
  const rows: Interval[][] = [];
  for (const interval of intervals) {
    const row = rows.find((list) => list.at(-1)!.end <= interval.start);
    if (row === undefined) rows.push([interval]);
    else row.push(interval);
  }
  return rows.map((row) => sideBySide(g, row, axis, shape));
}

/** Intervals in order, with zeros where none is. */
function sideBySide(
  g: Ops,
  row: readonly Interval[],
  axis: number,
  shape: readonly number[],
): string {
  const size = shape[axis]!;
  if (row.length === 1) {
    const { value, start, end } = row[0]!;
    const none = shape.map(() => 0);
    return g.pad(value, none.with(axis, start), none.with(axis, size - end));
  }
  const parts: string[] = [];
  let at = 0;
  for (const { value, start, end } of [...row, { value: '', start: size, end: size }]) {
    if (start > at) parts.push(g.zeros(shape.with(axis, start - at)));
    if (value !== '') parts.push(value);
    at = end;
  }
  return g.concat(parts, axis);
}
