import { fromHeads, toHeads } from './attention-heads.ts';
import type { FunctionBody, FunctionCall, FunctionEntry } from './function-call.ts';
import { tensorOf } from './tensor.ts';
import { int, numberAttribute } from './types.ts';

interface Rotation {
  readonly x: string;
  /** [batch or 1, length, size / 2]. */
  readonly cos: string;
  readonly sin: string;
}

/** Turns pairs of elements by an angle that depends on the position (Su et al. 2021). */
function rotated(call: FunctionCall, { x, cos, sin }: Rotation): string {
  const { node } = call;
  const given = call.builder.shape(x);
  for (const table of [cos, sin]) {
    const shape = call.builder.shape(table);
    if (shape.length !== 3) call.fail(`angles [${shape}] are not [batch, length, size]`);
  }
  const count = numberAttribute(node, 'num_heads', 0);
  const pairs = call.builder.shape(cos).at(-1)!;
  const asked = numberAttribute(node, 'rotary_embedding_dim', 0);
  const heads = given.length === 4 ? x : toHeads(call, x, count === 0 ? 1 : count);
  const shape = call.builder.shape(heads);
  const turning = asked === 0 ? shape[3]! : asked;
  if (2 * pairs !== turning || turning > shape[3]!) call.fail(`${pairs} angles for ${turning}`);
  const part = call.cut(heads, 3, 0, turning);
  const interleaved = numberAttribute(node, 'interleaved', 0) === 1;
  const halves = interleaved ? [...shape.slice(0, 3), pairs, 2] : [...shape.slice(0, 3), 2, pairs];
  const axis = interleaved ? 4 : 3;
  const split = call.reshape(part, halves);
  const flat = [...shape.slice(0, 3), pairs];
  const [a, b] = [0, 1].map((at) => call.reshape(call.cut(split, axis, at, at + 1), flat));
  const [c, s] = [cos, sin].map((table) => {
    const [batch, length] = call.builder.shape(table);
    return call.reshape(table, [batch!, 1, length!, pairs]);
  });
  const turned = [
    call.sub(call.mul(a!, c!), call.mul(b!, s!)),
    call.add(call.mul(a!, s!), call.mul(b!, c!)),
  ].map((half) => call.reshape(half, halves.with(axis, 1)));
  const joined = call.reshape(call.concat(turned, axis), shape.with(3, turning));
  const rest = turning === shape[3] ? [] : [call.cut(heads, 3, turning, shape[3]!)];
  const whole = call.concat([joined, ...rest], 3);
  return given.length === 4 ? whole : fromHeads(call, whole);
}

/** Rows of a table of angles at positions [batch, length]. */
const angles = (call: FunctionCall, table: string, positions: string) =>
  call.op('Gather', [table, positions], { axis: int(0) });

/** The standard operator (opset 23). */
const rotaryEmbedding: FunctionBody = (call) => {
  const positions = call.given(3);
  const [cos, sin] = [call.x[1]!, call.x[2]!].map((table) =>
    positions === undefined ? table : angles(call, table, positions),
  );
  return [rotated(call, { x: call.x[0]!, cos: cos!, sin: sin! })];
};

/** ONNX Runtime's operator: positions come before the tables, and may be one offset. */
const contribRotary: FunctionBody = (call) => {
  const scale = numberAttribute(call.node, 'scale', 1);
  if (scale !== 1 || numberAttribute(call.node, 'is_packed_batching', 0) !== 0) {
    call.refuse('scale and packed batches are not supported');
  }
  const { shape } = call.input(0);
  if (shape.length !== 3 && shape.length !== 4) call.fail(`input [${shape}]`);
  const length = shape.length === 4 ? shape[2]! : shape[1]!;
  const given = call.input(1);
  const count = tensorOf(
    given.dtype,
    [1, length],
    Array.from({ length }, (_, i) => i),
  );
  const positions =
    given.shape.length === 1 ? call.add(call.x[1]!, call.builder.constant(count)) : call.x[1]!;
  const [cos, sin] = [call.x[2]!, call.x[3]!].map((table) => angles(call, table, positions));
  return [rotated(call, { x: call.x[0]!, cos: cos!, sin: sin! })];
};

export const rotaryFunctions: readonly FunctionEntry[] = [
  ['RotaryEmbedding', rotaryEmbedding, [3, 4]],
  ['com.microsoft.RotaryEmbedding', contribRotary, [4, 4]],
];
