import { attend, fromHeads, HIDDEN, toHeads } from './attention-heads.ts';
import type { FunctionBody, FunctionCall, FunctionEntry } from './function-call.ts';
import { scalar, tensorOf } from './tensor.ts';
import { numberAttribute } from './types.ts';

function scaleOf(call: FunctionCall, query: string): number {
  const given = numberAttribute(call.node, 'scale', 0);
  return given === 0 ? 1 / Math.sqrt(call.builder.shape(query)[3]!) : given;
}

/** Refuses what only a decoder with a cache of earlier steps uses. */
function refuseCache(call: FunctionCall, inputs: readonly number[], outputs: number): void {
  const used = inputs.find((index) => call.given(index) !== undefined);
  if (used !== undefined) call.refuse(`input ${used} (past keys and values) is not supported`);
  const asked = call.node.outputs.findIndex((name, i) => i >= outputs && name !== '');
  if (asked >= 0) call.refuse(`output ${asked} (present keys and values) is not supported`);
}

/** The standard operator (opset 23). */
const attention: FunctionBody = (call) => {
  refuseCache(call, [4, 5], 1);
  const { node } = call;
  const heads = {
    query: toHeads(call, call.x[0]!, numberAttribute(node, 'q_num_heads', 0)),
    key: toHeads(call, call.x[1]!, numberAttribute(node, 'kv_num_heads', 0)),
    value: toHeads(call, call.x[2]!, numberAttribute(node, 'kv_num_heads', 0)),
  };
  const made = attend(call, heads, {
    scale: scaleOf(call, heads.query),
    causal: numberAttribute(node, 'is_causal', 0) === 1,
    softcap: numberAttribute(node, 'softcap', 0),
    terms: call.given(3) === undefined ? [] : [visibleTerm(call, 3)],
  });
  return [call.input(0).shape.length === 4 ? made : fromHeads(call, made)];
};

/** Truth values say who is seen; numbers are added as they are. */
function visibleTerm(call: FunctionCall, index: number): string {
  const { dtype } = call.input(index);
  const name = call.x[index]!;
  if (dtype !== 'bool') return name;
  return call.op('Where', [name, call.number(0), call.number(HIDDEN)]);
}

/** Query, key and value as products of one input with one matrix (ONNX Runtime's operator). */
const packedAttention: FunctionBody = (call) => {
  const { node } = call;
  refuseCache(call, [4, 6], 1);
  if (numberAttribute(node, 'do_rotary', 0) !== 0) call.refuse('do_rotary is not supported');
  const { shape } = call.input(0);
  const width = call.input(1).shape[1]!;
  const listed = node.attributes.get('qkv_hidden_sizes');
  const sizes = listed?.kind === 'ints' ? listed.value : [width / 3, width / 3, width / 3];
  if (shape.length !== 3 || sizes.reduce((sum, size) => sum + size, 0) !== width) {
    call.fail(`[${shape}] with weights for [${sizes}]`);
  }
  const projected = call.addGiven(call.op('MatMul', [call.x[0]!, call.x[1]!]), 2);
  const count = numberAttribute(node, 'num_heads', 0);
  const [query, key, value] = call
    .split(projected, 2, sizes)
    .map((part) => toHeads(call, part, count));
  const causal = numberAttribute(node, 'unidirectional', 0) === 1;
  const terms = [...paddingTerms(call, 3, shape[1]!), ...[5].flatMap((i) => call.given(i) ?? [])];
  const scale = scaleOf(call, query!);
  const heads = { query: query!, key: key!, value: value! };
  return [fromHeads(call, attend(call, heads, { scale, causal, terms }))];
};

/** Query, key and value projected already (ONNX Runtime's operator). */
const multiHeadAttention: FunctionBody = (call) => {
  const { node } = call;
  refuseCache(call, [6, 7, 8, 9], 1);
  if (call.input(0).shape.length !== 3) call.refuse('packed query, key and value');
  const count = numberAttribute(node, 'num_heads', 0);
  const parts = [0, 1, 2].map((index) => {
    const rank = call.optional(index)?.shape.length ?? 5;
    if (rank > 4) call.refuse('packed query, key and value');
    if (rank < 3) call.fail(`input ${index} is [${call.input(index).shape}]`);
    return call.x[index]!;
  });
  const widths = parts.map((name) => call.builder.shape(name).at(-1)!);
  const biases = call.given(3) === undefined ? [] : call.split(call.x[3]!, 0, widths);
  const [query, key, value] = parts.map((name, i) => {
    return toHeads(call, biases[i] === undefined ? name : call.add(name, biases[i]), count);
  });
  const heads = { query: query!, key: key!, value: value! };
  const keys = call.builder.shape(heads.key)[2]!;
  const made = attend(call, heads, {
    scale: scaleOf(call, heads.query),
    causal: numberAttribute(node, 'unidirectional', 0) === 1,
    terms: [...paddingTerms(call, 4, keys), ...[5].flatMap((i) => call.given(i) ?? [])],
  });
  return [fromHeads(call, made)];
};

/**
 * The mask of padding in input `index`: how many keys count [batch], or 1 for each that counts,
 * [batch, keys] or [batch, queries, keys].
 */
function paddingTerms(call: FunctionCall, index: number, keys: number): readonly string[] {
  const name = call.given(index);
  if (name === undefined) return [];
  const { dtype, shape } = call.input(index);
  const batch = call.input(0).shape[0]!;
  const filter = numberAttribute(call.node, 'mask_filter_value', HIDDEN);
  const number = (value: number) => call.builder.constant(scalar(value, dtype));
  const term = (seen: string, dims: readonly number[]) =>
    call.reshape(call.op('Where', [seen, call.number(0), call.number(filter)]), dims);
  if (shape.length === 1 && shape[0] === batch) {
    const positions = tensorOf(
      dtype,
      [1, keys],
      Array.from({ length: keys }, (_, i) => i),
    );
    const lengths = call.reshape(name, [batch, 1]);
    const seen = call.op('Greater', [lengths, call.builder.constant(positions)]);
    return [term(seen, [batch, 1, 1, keys])];
  }
  if ((shape.length !== 2 && shape.length !== 3) || shape[0] !== batch || shape.at(-1) !== keys) {
    call.refuse(`a mask of [${shape}]`);
  }
  const seen = call.op('Greater', [name, number(0)]);
  return [term(seen, [batch, 1, shape.length === 3 ? shape[1]! : 1, keys])];
}

/** Attention as products and softmax. */
export const attentionFunctions: readonly FunctionEntry[] = [
  ['Attention', attention, [3, 6]],
  ['com.microsoft.Attention', packedAttention, [2, 7]],
  ['com.microsoft.MultiHeadAttention', multiHeadAttention, [1, 10]],
];
