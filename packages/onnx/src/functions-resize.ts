import type { FunctionBody, FunctionCall, FunctionEntry } from './function-call.ts';
import { MODEL_LIMITS } from './limits.ts';
import { type PadRun, padRuns } from './pad-runs.ts';
import { tensorOf } from './tensor.ts';
import {
  type Attribute,
  int,
  intsAttribute,
  numberAttribute,
  text,
  textAttribute,
} from './types.ts';

/** Numbers that are given for some axes, for all of them; `rest` has those of the others. */
function forAllAxes(
  call: FunctionCall,
  given: readonly number[],
  axes: readonly number[] | undefined,
  rest: readonly number[],
): readonly number[] {
  if (axes === undefined) {
    if (given.length !== rest.length) call.fail(`[${given}] for ${rest.length} axes`);
    return given;
  }
  const at = call.axes(axes, rest.length);
  if (given.length !== at.length) call.fail(`[${given}] for the axes [${axes}]`);
  return rest.map((value, axis) => (at.includes(axis) ? given[at.indexOf(axis)]! : value));
}

/** Pads for all axes as an input; `wrap`, which opset 17 lacks, as slices side by side. */
const pad: FunctionBody = (call) => {
  const { shape } = call.input(0);
  const listed = call.list(1);
  const axes = call.given(3) === undefined ? undefined : call.list(3);
  const half = listed.length / 2;
  const zeros = shape.map(() => 0);
  const begins = forAllAxes(call, listed.slice(0, half), axes, zeros);
  const ends = forAllAxes(call, listed.slice(half), axes, zeros);
  if ([...begins, ...ends].every((count) => count === 0)) return [call.x[0]!];
  const mode = textAttribute(call.node, 'mode', 'constant');
  if (mode === 'wrap') return [wrapped(call, begins, ends)];
  const inputs = [call.x[0]!, call.integers([...begins, ...ends])];
  const value = call.given(2);
  if (mode === 'constant' && value !== undefined) inputs.push(value);
  return [call.op('Pad', inputs, { mode: text(mode) })];
};

function wrapped(call: FunctionCall, begins: readonly number[], ends: readonly number[]): string {
  const { shape } = call.input(0);
  let value = call.x[0]!;
  for (const [axis, size] of shape.entries()) {
    const [begin, end] = [begins[axis]!, ends[axis]!];
    if (begin === 0 && end === 0) continue;
    const target = size + begin + end;
    if (size + Math.min(0, begin) + Math.min(0, end) < 1) call.fail(`pads of ${size}`);
    if (target > MODEL_LIMITS.elementsMax) call.fail(`pads to ${target}`);
    const whole = value;
    const parts = padRuns('wrap', size, begin, end).map((run) => shownBy(call, whole, axis, run));
    value = parts.length === 1 ? parts[0]! : call.op('Concat', parts, { axis: int(axis) });
  }
  return value;
}

/** What a run of output positions shows of `a`. */
function shownBy(call: FunctionCall, a: string, axis: number, run: PadRun): string {
  const { from, step, length } = run;
  const shape = call.builder.shape(a);
  if (step === 0) return call.op('Expand', [a, call.integers(shape.with(axis, length))]);
  // Counted from the back, the end before position 0 has a number of its own.
  const end = from + step * length;
  const bounds = [from, end < 0 ? -shape[axis]! - 1 : end, axis, step];
  return call.op('Slice', [a, ...bounds.map((bound) => call.integers([bound]))]);
}

/** Scales or sizes for all axes; a stretch to the same size is none. */
const resize: FunctionBody = (call) => {
  const { node } = call;
  const { shape } = call.input(0);
  const policy = textAttribute(node, 'keep_aspect_ratio_policy', 'stretch');
  if (policy !== 'stretch') call.refuse(`keep_aspect_ratio_policy ${policy} is not supported`);
  const axes = intsAttribute(node, 'axes');
  const list = (index: number, rest: readonly number[]) => {
    const given = call.given(index) === undefined ? [] : call.list(index);
    return given.length === 0 ? undefined : forAllAxes(call, given, axes, rest);
  };
  const scales = list(
    2,
    shape.map(() => 1),
  );
  const sizes = list(3, shape);
  const attributes: Record<string, Attribute> = Object.fromEntries(
    [...node.attributes].filter(([name]) => !NEWER_RESIZE.has(name)),
  );
  if (scales !== undefined && sizes !== undefined) call.fail('both scales and sizes are given');
  if (numberAttribute(node, 'antialias', 0) !== 0) call.refuse('antialias is not supported');
  if ((sizes ?? scales)?.every((value, i) => value === (sizes ? shape[i] : 1))) return [call.x[0]!];
  if (sizes !== undefined) {
    return [call.op('Resize', [call.x[0]!, '', '', call.integers(sizes)], attributes)];
  }
  const factors = tensorOf(
    'float32',
    [shape.length],
    scales ?? call.fail('neither scales nor sizes'),
  );
  return [call.op('Resize', [call.x[0]!, '', call.builder.constant(factors)], attributes)];
};

/** Attributes that opset 17 has not. */
const NEWER_RESIZE: ReadonlySet<string> = new Set([
  ...['axes', 'antialias', 'keep_aspect_ratio_policy'],
]);

export const resizeFunctions: readonly FunctionEntry[] = [
  ['Pad', pad, [2, 4]],
  ['Resize', resize, [1, 4]],
];
