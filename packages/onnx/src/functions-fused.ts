import type { FunctionBody, FunctionEntry } from './function-call.ts';
import { layerNorm } from './functions-norm.ts';
import { tensorOf } from './tensor.ts';
import { int, numberAttribute } from './types.ts';

/** Words, positions and segments added up and normalised (ONNX Runtime's operator). */
const embedLayerNorm: FunctionBody = (call) => {
  const { shape } = call.input(0);
  if (shape.length !== 2) call.fail(`words [${shape}] are not sentences of words`);
  const [batch, length] = shape;
  const rows = (table: string, indices: string) => call.op('Gather', [table, indices]);
  const line = tensorOf(
    'int32',
    [1, length!],
    Array.from({ length: length! }, (_, i) => i),
  );
  const positions = call.given(8) ?? call.builder.constant(line);
  let sum = call.builder.add('Add', [rows(call.x[2]!, call.x[0]!), rows(call.x[3]!, positions)]);
  const segments = call.given(1);
  if (segments !== undefined) sum = call.add(sum, rows(call.x[4]!, segments));
  const epsilon = numberAttribute(call.node, 'epsilon', 1e-12);
  const [output] = layerNorm(call, [sum, call.x[5]!, call.x[6]!], -1, epsilon);
  const mask = call.given(7);
  const counts =
    mask === undefined
      ? call.builder.constant(tensorOf('int32', [batch!], new Array<number>(batch!).fill(0)))
      : call.op('ReduceSum', [mask, call.integers([1])], { keepdims: int(0) });
  return [output!, counts, sum];
};

/** A product of matrices that may be transposed and scaled (ONNX Runtime's operator). */
const fusedMatMul: FunctionBody = (call) => {
  const flag = (name: string) => numberAttribute(call.node, name, 0) === 1;
  if (flag('transBatchA') || flag('transBatchB')) call.refuse('transposed batches');
  const [a, b] = (['transA', 'transB'] as const).map((name, i) => {
    const rank = call.input(i).shape.length;
    const order = Array.from({ length: rank }, (_, axis) => axis);
    if (!flag(name) || rank < 2) return call.x[i]!;
    return call.transpose(call.x[i]!, [...order.slice(0, -2), rank - 1, rank - 2]);
  });
  return [call.scale(call.op('MatMul', [a!, b!]), numberAttribute(call.node, 'alpha', 1))];
};

/** What ONNX Runtime's optimiser puts in place of several operators. */
export const fusedFunctions: readonly FunctionEntry[] = [
  ['com.microsoft.EmbedLayerNormalization', embedLayerNorm, [1, 9]],
  ['com.microsoft.FusedMatMul', fusedMatMul, [2, 2]],
];
