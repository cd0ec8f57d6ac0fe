import type { FunctionBody, FunctionCall } from './function-call.ts';
import { MODEL_LIMITS } from './limits.ts';
import { type Activation, activationsOf } from './recurrent-activations.ts';
import { scalar } from './tensor.ts';
import { numberAttribute, textAttribute } from './types.ts';

/** What all recurrent operators have in common, for one direction. */
export interface Direction {
  readonly call: FunctionCall;
  readonly steps: number;
  readonly batch: number;
  readonly hidden: number;
  /** Input as rows [steps · batch, features], step after step. */
  readonly rows: string;
  /** Row `name` of an input whose first axis is the direction, without that axis. */
  readonly part: (index: number) => string | undefined;
  readonly activations: readonly Activation[];
  /** Which examples are still running at a step, [batch, 1] bool; undefined when all are. */
  readonly running: ((step: number) => string) | undefined;
  readonly clip: (value: string) => string;
}

/** States by name: the hidden one, and the cell's if there is one. */
interface State {
  /** Absent while it is zero. */
  readonly h: string | undefined;
  readonly c: string | undefined;
}

interface NextState {
  readonly h: string;
  readonly c?: string;
}

/** Writes one step: rows of the input's share [batch, gates · hidden] and the state before. */
type Cell = (at: number, state: State) => NextState;
export type CellOf = (direction: Direction) => Cell;

/** Inputs that all three operators have at the same place. */
export const INPUT = { x: 0, w: 1, r: 2, b: 3, lengths: 4, h: 5, c: 6, peepholes: 7 } as const;

/**
 * Unrolls a recurrent operator: the runtime's own keeps no gates, which the gradient needs. The
 * input's share of all steps is one product; a step is left with the state's.
 */
export const unrolled =
  (gates: number, cellOf: CellOf): FunctionBody =>
  (call) => {
    const { steps, batch, hidden, directions } = checkedShapes(call, gates);
    const timeFirst = numberAttribute(call.node, 'layout', 0) === 0;
    const x = timeFirst ? call.x[0]! : call.transpose(call.x[0]!, [1, 0, 2]);
    const rows = call.reshape(x, [steps * batch, call.builder.shape(x)[2]!]);
    const runs = directions.map((reverse, index) => {
      const part = (at: number) => directionPart(call, at, index, timeFirst);
      const activations = activationsOf(call, index, directions.length);
      const running = runningExamples(call, steps);
      const clip = clipper(call);
      return run(
        cellOf,
        { call, steps, batch, hidden, rows, part, activations, running, clip },
        reverse,
      );
    });
    return outputsOf(call, runs, { steps, batch, hidden, timeFirst });
  };

interface Shapes {
  readonly steps: number;
  readonly batch: number;
  readonly hidden: number;
  /** One entry per direction: whether it goes from the last step to the first. */
  readonly directions: readonly boolean[];
}

const DIRECTIONS: ReadonlyMap<string, readonly boolean[]> = new Map([
  ['forward', [false]],
  ['reverse', [true]],
  ['bidirectional', [false, true]],
]);

function checkedShapes(call: FunctionCall, gates: number): Shapes {
  const { node } = call;
  const { shape } = call.input(INPUT.x);
  if (shape.length !== 3) call.fail(`input [${shape}] has not three axes`);
  const layout = numberAttribute(node, 'layout', 0);
  if (layout !== 0 && layout !== 1) call.fail(`layout ${layout}`);
  const [steps, batch] = layout === 0 ? [shape[0]!, shape[1]!] : [shape[1]!, shape[0]!];
  const name = textAttribute(node, 'direction', 'forward');
  const directions = DIRECTIONS.get(name) ?? call.fail(`direction "${name}"`);
  const count = directions.length;
  const hidden = call.input(INPUT.r).shape[2] ?? 0;
  const expect = (index: number, expected: readonly number[]) => {
    const found = call.optional(index)?.shape;
    if (found !== undefined && `${found}` !== `${expected}`) {
      call.fail(`input ${index} is [${found}], expected [${expected}]`);
    }
  };
  const asked = numberAttribute(node, 'hidden_size', hidden);
  if (asked !== hidden || hidden < 1) call.fail(`hidden_size ${asked}, weights have ${hidden}`);
  expect(INPUT.w, [count, gates * hidden, shape[2]!]);
  expect(INPUT.r, [count, gates * hidden, hidden]);
  expect(INPUT.b, [count, 2 * gates * hidden]);
  expect(INPUT.lengths, [batch]);
  const state = layout === 0 ? [count, batch, hidden] : [batch, count, hidden];
  expect(INPUT.h, state);
  expect(INPUT.c, state);
  expect(INPUT.peepholes, [count, 3 * hidden]);
  if (steps < 1 || steps > MODEL_LIMITS.recurrentStepsMax) {
    call.refuse(
      `a sequence of ${steps} steps; 1 to ${MODEL_LIMITS.recurrentStepsMax} are supported`,
    );
  }
  return { steps, batch, hidden, directions };
}

/** The share of one direction in an input, undefined when absent or a state of zeros. */
function directionPart(call: FunctionCall, index: number, direction: number, timeFirst: boolean) {
  const name = call.given(index);
  if (name === undefined) return undefined;
  const isState = index === INPUT.h || index === INPUT.c;
  if (isState && call.input(index).value?.data.every((value) => Number(value) === 0)) {
    return undefined;
  }
  const first = isState && !timeFirst ? call.transpose(name, [1, 0, 2]) : name;
  const [count, ...rest] = call.builder.shape(first);
  const own = count === 1 ? first : call.cut(first, 0, direction, direction + 1);
  return call.reshape(own, rest);
}

/** A step counts for the examples that are longer than it. */
function runningExamples(call: FunctionCall, steps: number) {
  const lengths = call.given(INPUT.lengths);
  if (lengths === undefined) return undefined;
  const known = call.input(INPUT.lengths);
  if (known.value !== undefined && call.constants(INPUT.lengths).every((n) => n >= steps)) {
    return undefined;
  }
  const column = call.reshape(lengths, [known.shape[0]!, 1]);
  return (step: number) =>
    call.op('Greater', [column, call.builder.constant(scalar(step, known.dtype))]);
}

function clipper(call: FunctionCall): (value: string) => string {
  const bound = numberAttribute(call.node, 'clip', 0);
  if (bound <= 0) return (value) => value;
  return (value) => call.op('Clip', [value, call.number(-bound), call.number(bound)]);
}

/** What one direction computed, in the order of time. */
interface Run {
  readonly outputs: readonly string[];
  readonly last: NextState;
}

function run(cellOf: CellOf, direction: Direction, reverse: boolean): Run {
  const { call, steps, running, part } = direction;
  const cell = cellOf(direction);
  const outputs: string[] = [];
  let state: State = { h: part(INPUT.h), c: part(INPUT.c) };
  let last: NextState = { h: '' };
  for (let i = 0; i < steps; i++) {
    const at = reverse ? steps - 1 - i : i;
    const next = cell(at, state);
    const active = running?.(at);
    outputs.push(
      active === undefined ? next.h : call.op('Where', [active, next.h, call.number(0)]),
    );
    last = active === undefined ? next : held(call, active, next, state);
    state = { h: last.h, c: last.c };
  }
  return { outputs: reverse ? outputs.reverse() : outputs, last };
}

/** Where an example has ended, its state stays. */
function held(call: FunctionCall, active: string, next: NextState, before: State): NextState {
  const keep = (value: string, old: string | undefined) =>
    call.op('Where', [active, value, old ?? call.number(0)]);
  const h = keep(next.h, before.h);
  return next.c === undefined ? { h } : { h, c: keep(next.c, before.c) };
}

interface OutputShape {
  readonly steps: number;
  readonly batch: number;
  readonly hidden: number;
  readonly timeFirst: boolean;
}

/** Y [steps, directions, batch, hidden], then the last states [directions, batch, hidden]. */
function outputsOf(call: FunctionCall, runs: readonly Run[], shape: OutputShape): string[] {
  const { steps, batch, hidden, timeFirst } = shape;
  const sequences = runs.map(({ outputs }) =>
    call.reshape(call.concat(outputs, 0), [steps, 1, batch, hidden]),
  );
  const states = (pick: (last: NextState) => string) => {
    const parts = runs.map(({ last }) => call.reshape(pick(last), [1, batch, hidden]));
    const joined = call.concat(parts, 0);
    return timeFirst ? joined : call.transpose(joined, [1, 0, 2]);
  };
  const sequence = call.concat(sequences, 1);
  return [
    timeFirst ? sequence : call.transpose(sequence, [2, 0, 1, 3]),
    states(({ h }) => h),
    ...(runs[0]!.last.c === undefined ? [] : [states(({ c }) => c!)]),
  ];
}
