import type { FunctionCall } from './function-call.ts';
import { tensorOf } from './tensor.ts';
import { int, type Tensor } from './types.ts';

/** What a position that must not be seen gets added to its score. */
export const HIDDEN = -10_000;

export interface Heads {
  /** [batch, heads, length, size] each; key and value may have fewer heads. */
  readonly query: string;
  readonly key: string;
  readonly value: string;
}

export interface Scores {
  readonly scale: number;
  /** Nobody sees what comes later. */
  readonly causal: boolean;
  /** Bounds scores by its hyperbolic tangent; 0 for none. */
  readonly softcap?: number;
  /** Added to the scores, broadcast to [batch, heads, queries, keys]. */
  readonly terms: readonly string[];
}

/**
 * softmax(scale · Q·Kᵀ + terms) · V for each head (Vaswani et al. 2017), [batch, heads, length,
 * size].
 */
export function attend(
  call: FunctionCall,
  heads: Heads,
  { scale, causal, softcap, terms }: Scores,
) {
  for (const name of [heads.query, heads.key, heads.value]) checkHeads(call, name);
  const [, count, queries] = call.builder.shape(heads.query);
  const key = repeatedHeads(call, heads.key, count!);
  const value = repeatedHeads(call, heads.value, count!);
  const scaled = call.scale(heads.query, scale);
  let scores = call.op('MatMul', [scaled, call.transpose(key, [0, 1, 3, 2])]);
  if (softcap) scores = call.scale(call.op('Tanh', [call.scale(scores, 1 / softcap)]), softcap);
  const keys = call.builder.shape(key)[2]!;
  const hidden = causal ? [call.builder.constant(causalMask(call, queries!, keys))] : [];
  for (const term of [...hidden, ...terms]) scores = call.add(scores, term);
  return call.op('MatMul', [call.op('Softmax', [scores], { axis: int(-1) }), value]);
}

function checkHeads(call: FunctionCall, name: string): void {
  const { dtype, shape } = call.builder.type(name);
  if (dtype !== 'float32' && dtype !== 'float64') call.fail(`an operand is ${dtype}`);
  if (shape.length !== 4) call.fail(`[${shape}] is not [batch, heads, length, size]`);
}

function causalMask(call: FunctionCall, queries: number, keys: number): Tensor {
  const cell = (_: unknown, i: number) => (i % keys > Math.floor(i / keys) ? HIDDEN : 0);
  const values = Array.from({ length: queries * keys }, cell);
  return tensorOf(call.input(0).dtype, [queries, keys], values);
}

/** Each head of key or value serves several of the query. */
function repeatedHeads(call: FunctionCall, name: string, count: number): string {
  const [batch, own, length, size] = call.builder.shape(name);
  if (own === count) return name;
  if (!(own! >= 1) || count % own! !== 0) call.fail(`${own} heads for ${count} of the query`);
  const column = call.reshape(name, [batch!, own!, 1, length!, size!]);
  const target = call.integers([batch!, own!, count / own!, length!, size!]);
  return call.reshape(call.op('Expand', [column, target]), [batch!, count, length!, size!]);
}

/** [batch, length, heads · size] to [batch, heads, length, size]. */
export function toHeads(call: FunctionCall, name: string, heads: number): string {
  const shape = call.builder.shape(name);
  if (shape.length === 4) return name;
  const [batch, length, width] = shape;
  if (shape.length !== 3 || !(heads >= 1) || width! % heads !== 0) {
    call.fail(`[${shape}] in ${heads} heads`);
  }
  const split = call.reshape(name, [batch!, length!, heads, width! / heads]);
  return call.transpose(split, [0, 2, 1, 3]);
}

/** [batch, heads, length, size] to [batch, length, heads · size]. */
export function fromHeads(call: FunctionCall, name: string): string {
  const [batch, heads, length, size] = call.builder.shape(name);
  return call.reshape(call.transpose(name, [0, 2, 1, 3]), [batch!, length!, heads! * size!]);
}
