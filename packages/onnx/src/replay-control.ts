import { ProtocolError } from '@starling/core';
import type { GraphBuilder } from './builder.ts';
import { MODEL_LIMITS } from './limits.ts';
import { int64s, scalar } from './tensor.ts';
import { type Graph, int, intsAttribute, type Node, numberAttribute } from './types.ts';

/** Operators that run a graph of their own. */
export const CONTROL_OPERATORS: ReadonlySet<string> = new Set(['If', 'Loop', 'Scan']);

export interface ControlCall {
  readonly builder: GraphBuilder;
  readonly node: Node;
  /** Names in the builder, those of values that inner graphs take from outside included. */
  readonly inputs: readonly string[];
  /** Repeats an inner graph; answers the names of its outputs. */
  readonly replay: (graph: Graph, bindings: ReadonlyMap<string, string>) => readonly string[];
}

/**
 * Writes out an If, Loop or Scan whose course follows from constants and shapes: the branch that is
 * taken, the iterations one after the other.
 * @throws ProtocolError `unsupported-operator` when it depends on data
 */
export function replayControl(call: ControlCall): readonly string[] {
  switch (call.node.op) {
    case 'If':
      return takenBranch(call);
    case 'Loop':
      return unrolledLoop(call);
    default:
      return unrolledScan(call);
  }
}

function refuse({ node }: ControlCall, message: string): never {
  const where = `node "${node.name}" (${node.op})`;
  throw new ProtocolError('unsupported-operator', `${where}: ${message}`);
}

function innerGraph(call: ControlCall, name: string): Graph {
  const found = call.node.attributes.get(name);
  return found?.kind === 'graph' ? found.value : refuse(call, `no graph "${name}"`);
}

/** Values from outside by their names there: reading has listed them among the inputs. */
function outside({ node, inputs }: ControlCall): readonly [string, string][] {
  return node.inputs.map((name, i) => [name, inputs[i]!]);
}

/** The number that a constant holds; undefined when it depends on data. */
function constantOf({ builder }: ControlCall, name: string): number | undefined {
  const value = builder.valueOf(name)?.data[0];
  return value === undefined ? undefined : Number(value);
}

function takenBranch(call: ControlCall): readonly string[] {
  const condition = constantOf(call, call.inputs[0] ?? '');
  if (condition === undefined) refuse(call, 'control flow that depends on data is not supported');
  const branch = innerGraph(call, condition === 0 ? 'else_branch' : 'then_branch');
  return call.replay(branch, new Map(outside(call)));
}

function unrolledLoop(call: ControlCall): readonly string[] {
  const { builder, inputs } = call;
  const body = innerGraph(call, 'body');
  const [counter, running, ...states] = body.inputs.map(({ name }) => name);
  if (counter === undefined || running === undefined) refuse(call, 'its body takes no counter');
  const given = (name: string | undefined, absent: number) =>
    (name ?? '') === '' ? absent : constantOf(call, name!);
  const trips = given(inputs[0], Number.POSITIVE_INFINITY);
  let go = given(inputs[1], 1);
  let carried = inputs.slice(2, body.inputs.length);
  const collected: string[][] = [];
  for (let i = 0; ; i++) {
    if (trips === undefined || go === undefined) refuse(call, 'its end depends on data');
    if (i >= trips || go === 0) break;
    checkCount(call, i + 1);
    const bindings = new Map([
      ...outside(call),
      [counter, builder.constant(scalar(i, 'int64'))] as const,
      [running, builder.constant(scalar(1, 'bool'))] as const,
      ...states.map((name, at) => [name, carried[at]!] as const),
    ]);
    const made = call.replay(body, bindings);
    go = constantOf(call, made[0]!);
    carried = made.slice(1, 1 + states.length);
    collected.push(made.slice(1 + states.length));
  }
  const lists = body.outputs.length - 1 - states.length;
  if (lists > 0 && collected.length === 0) refuse(call, 'it collects values over no iteration');
  const stacks = Array.from({ length: lists }, (_, at) =>
    stacked(
      call,
      collected.map((values) => values[at]!),
      0,
    ),
  );
  return [...carried, ...stacks];
}

function unrolledScan(call: ControlCall): readonly string[] {
  const { node, inputs, builder } = call;
  const body = innerGraph(call, 'body');
  const scans = numberAttribute(node, 'num_scan_inputs', 0);
  const states = body.inputs.length - scans;
  if (!(scans >= 1 && states >= 0)) refuse(call, `${scans} inputs to scan`);
  const list = (name: string, at: number) => intsAttribute(node, name)?.[at] ?? 0;
  const sources = inputs.slice(states, body.inputs.length).map((name, at) => {
    const rank = builder.shape(name).length;
    const axis = list('scan_input_axes', at);
    return { name, axis: axis < 0 ? axis + rank : axis, back: list('scan_input_directions', at) };
  });
  const lengths = new Set(sources.map(({ name, axis }) => builder.shape(name)[axis] ?? -1));
  const [length = 0] = lengths;
  if (lengths.size !== 1 || length < 1) refuse(call, `scans over [${[...lengths]}] elements`);
  checkCount(call, length);
  let carried = inputs.slice(0, states);
  const collected: string[][] = [];
  for (let i = 0; i < length; i++) {
    const elements = sources.map(({ name, axis, back }) => {
      const at = builder.constant(scalar(back === 1 ? length - 1 - i : i, 'int64'));
      return builder.add('Gather', [name, at], { axis: int(axis) });
    });
    const values = [...carried, ...elements];
    const bound = body.inputs.map(({ name }, at): [string, string] => [name, values[at]!]);
    const made = call.replay(body, new Map([...outside(call), ...bound]));
    carried = made.slice(0, states);
    collected.push(made.slice(states));
  }
  const stacks = collected[0]!.map((_, at) => {
    const values = collected.map((made) => made[at]!);
    const back = list('scan_output_directions', at) === 1;
    return stacked(call, back ? values.reverse() : values, list('scan_output_axes', at));
  });
  return [...carried, ...stacks];
}

function checkCount(call: ControlCall, count: number): void {
  const most = MODEL_LIMITS.recurrentStepsMax;
  if (count > most) refuse(call, `more than ${most} iterations`);
}

/** Values side by side along a new axis. */
function stacked({ builder }: ControlCall, values: readonly string[], axis: number): string {
  const rank = builder.shape(values[0]!).length + 1;
  const at = axis < 0 ? axis + rank : axis;
  const axes = builder.constant(int64s([at]));
  const parts = values.map((value) => builder.add('Unsqueeze', [value, axes]));
  return parts.length === 1 ? parts[0]! : builder.add('Concat', parts, { axis: int(at) });
}
