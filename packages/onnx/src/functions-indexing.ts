import { writeEinsum } from './einsum.ts';
import type { FunctionBody, FunctionCall, FunctionEntry } from './function-call.ts';
import { checkScatterNd } from './infer-indexing.ts';
import { einsumPlan } from './infer-linear.ts';
import { splitSizes } from './infer-shape.ts';
import { MODEL_LIMITS } from './limits.ts';
import { elementCount, scalar, stridesOf, tensorOf } from './tensor.ts';
import { ELEMENT_TYPES, int, numberAttribute, text, textAttribute } from './types.ts';

const nodeAxis = (call: FunctionCall, fallback: number, rank: number) =>
  call.axis(numberAttribute(call.node, 'axis', fallback), rank);

/** Without ellipsis, with an explicit result: ONNX Runtime misreads some shorter spellings. */
const einsum: FunctionBody = (call) => {
  const { operands, output } = einsumPlan(call);
  return [call.op('Einsum', call.x, { equation: text(writeEinsum(operands, output)) })];
};

/** With the sizes as an input: opset 17 knows no last part that is smaller. */
const split: FunctionBody = (call) => {
  const axis = nodeAxis(call, 0, call.input(0).shape.length);
  const { name, outputs } = call.node;
  const inputs = [call.x[0]!, call.integers(splitSizes(call))];
  return call.builder.addMany('Split', inputs, new Map([['axis', int(axis)]]), { name, outputs });
};

/** With both outputs: the positions tell where the gradient goes. */
const topK: FunctionBody = (call) => {
  const { name, attributes } = call.node;
  const outputs = ['values', 'indices'].map((slot) => `${name}/${slot}`);
  return call.builder.addMany('TopK', call.x, attributes, { name, outputs });
};

/** A comparison with 0, 1, 2, …: OneHot itself does not run on GPUs. */
const oneHot: FunctionBody = (call) => {
  const { shape } = call.input(0);
  const depth = call.scalar(1);
  if (`${call.input(2).shape}` !== '2') call.fail(`values [${call.input(2).shape}], expected [2]`);
  if (!(depth >= 1 && depth <= MODEL_LIMITS.foldTotalMax)) call.fail(`depth ${depth}`);
  const axis = nodeAxis(call, -1, shape.length + 1);
  const number = (value: number) => call.builder.constant(scalar(value, 'int32'));
  const asked = call.op('Cast', [call.x[0]!], { to: int(ELEMENT_TYPES.int32) });
  const column = call.reshape(asked, shape.toSpliced(axis, 0, 1));
  const negative = call.op('Greater', [number(0), column]);
  const index = call.op('Where', [negative, call.add(column, number(depth)), column]);
  const line = Array.from({ length: shape.length + 1 }, (_, i) => (i === axis ? depth : 1));
  const classes = tensorOf(
    'int32',
    line,
    Array.from({ length: depth }, (_, i) => i),
  );
  const hit = call.op('Equal', [index, call.builder.constant(classes)]);
  const [off, on] = [0, 1].map((at) => call.op('Gather', [call.x[2]!, call.integers([at])]));
  return [call.op('Where', [hit, on!, off!])];
};

const castLike: FunctionBody = (call) => {
  const to = int(ELEMENT_TYPES[call.input(1).dtype]);
  return [call.op('Cast', [call.x[0]!], { to })];
};

/** Only a constant condition says how many elements are left. */
const compress: FunctionBody = (call) => {
  const { shape } = call.input(0);
  if (call.input(1).value === undefined) call.refuse('the shape of its output depends on data');
  const chosen = call.constants(1).flatMap((keep, i) => (keep === 0 ? [] : [i]));
  const whole = !call.node.attributes.has('axis');
  const axis = whole ? 0 : nodeAxis(call, 0, shape.length);
  const list = whole ? call.reshape(call.x[0]!, [elementCount(shape)]) : call.x[0]!;
  return [call.op('Gather', [list, call.integers(chosen)], { axis: int(axis) })];
};

/** An operator of ours: how opset 6 broadcast, see `alignAxis`. */
export const ALIGN_AXIS = 'starling.AlignAxis';

/** Input 0 in a shape that stretches to input 1's, with its own axes from `axis` on. */
const alignAxis: FunctionBody = (call) => {
  const [own, whole] = [call.input(0).shape, call.input(1).shape];
  if (own.length === 0 || elementCount(own) === 1) return [call.x[0]!];
  const axis = nodeAxis(call, 0, whole.length);
  const rest = whole.length - axis - own.length;
  if (rest < 0) call.fail(`[${own}] from axis ${axis} of [${whole}] on`);
  return [call.reshape(call.x[0]!, [...own, ...new Array<number>(rest).fill(1)])];
};

/** One number, repeated: ConstantOfShape itself does not run on GPUs. */
const constantOfShape: FunctionBody = (call) => {
  const attribute = call.node.attributes.get('value');
  const value = attribute?.kind === 'tensor' ? attribute.value : scalar(0);
  if (value.data.length !== 1) call.fail(`a value of ${value.data.length} elements`);
  const one = call.builder.constant({ ...value, shape: [] });
  return [call.op('Expand', [one, call.x[0]!])];
};

/**
 * Sums into places that may repeat, as ScatterElements over rows: ONNX Runtime's ScatterND adds
 * from several threads at once without a lock, and loses some of what it adds (measured on 1.30).
 */
const scatterNd: FunctionBody = (call) => {
  checkScatterNd(call);
  const [data, tuples] = [call.input(0).shape, call.input(1).shape];
  if (textAttribute(call.node, 'reduction', 'none') !== 'add') {
    return [call.op('ScatterND', call.x, Object.fromEntries(call.node.attributes))];
  }
  const depth = tuples.at(-1)!;
  const count = elementCount(tuples.slice(0, -1));
  const size = elementCount(data.slice(depth));
  const rows = (name: string, length: number) => call.reshape(name, [length, size]);
  const list = call.reshape(rowNumbers(call, data.slice(0, depth)), [count, 1]);
  const places = call.op('Expand', [list, call.integers([count, size])]);
  const target = rows(call.x[0]!, elementCount(data.slice(0, depth)));
  const inputs = [target, places, rows(call.x[2]!, count)];
  const attributes = { axis: int(0), reduction: text('add') };
  return [call.reshape(call.op('ScatterElements', inputs, attributes), data)];
};

/** Tuples of indices into axes of sizes `dims` as numbers of rows, int32 for GPUs' sake. */
function rowNumbers(call: FunctionCall, dims: readonly number[]): string {
  const whole = (values: readonly number[]) =>
    call.builder.constant(tensorOf('int32', values.length === 1 ? [] : [values.length], values));
  const given = call.op('Cast', [call.x[1]!], { to: int(ELEMENT_TYPES.int32) });
  const negative = call.op('Greater', [whole([0]), given]);
  const index = call.op('Where', [negative, call.add(given, whole(dims)), given]);
  if (dims.length === 1) return index;
  const weighted = call.mul(index, whole(stridesOf(dims)));
  return call.op('ReduceSum', [weighted, call.integers([-1])], { keepdims: int(0) });
}

/** Operators that choose or place elements, in the words of opset 17 that GPUs understand. */
export const indexingFunctions: readonly FunctionEntry[] = [
  [ALIGN_AXIS, alignAxis, [2, 2]],
  ['Einsum', einsum, [1, MODEL_LIMITS.aritiesMax]],
  ['Split', split, [1, 2]],
  ['TopK', topK, [2, 2]],
  ['ScatterND', scatterNd, [3, 3]],
  ['OneHot', oneHot, [3, 3]],
  ['CastLike', castLike, [2, 2]],
  ['Compress', compress, [2, 2]],
  ['ConstantOfShape', constantOfShape],
];
