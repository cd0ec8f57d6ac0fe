import { type Graph, GraphBuilder, type Node } from '@starling/onnx';
import { Ops } from './ops.ts';

export interface LoopCall {
  readonly name: string;
  /** An int64 scalar. */
  readonly trips: string;
  /** Values before the first iteration. */
  readonly carried: readonly string[];
  /** Longest that a list of `collected` values can get. */
  readonly tripsMax: number;
  /**
   * Writes one iteration inside the body's builder.
   * @param iteration int64 scalar, from 0 on
   * @param values names of the carried values at its start
   */
  readonly body: (g: Ops, iteration: string, values: readonly string[]) => LoopIteration;
}

export interface LoopIteration {
  /** The carried values at the end of the iteration. */
  readonly next: readonly string[];
  /** Values of every iteration, to be stacked along a new first axis. */
  readonly collected?: readonly string[];
}

/** Adds a Loop; names the carried values behind it and the stacks of collected values. */
export function addLoop(g: Ops, call: LoopCall): Required<LoopIteration> {
  const { name, trips, carried, tripsMax, body } = call;
  const inner = new Ops(new GraphBuilder(g.builder));
  const iteration = inner.builder.input('iteration', { dtype: 'int64', shape: [] });
  const goOn = inner.builder.input('goOn', { dtype: 'bool', shape: [] });
  const values = carried.map((value) => inner.builder.input(`${value}/in`, g.builder.type(value)));
  const { next, collected = [] } = body(inner, iteration, values);
  const results = [goOn, ...next, ...collected];
  const graph = inner.builder.finish(
    name,
    results.map((value) => inner.builder.named(value, `${value}/out`)),
  );
  const types = [
    ...carried.map((value) => g.builder.type(value)),
    ...collected.map((value) => {
      const { dtype, shape } = inner.builder.type(value);
      return { dtype, shape: [tripsMax, ...shape] };
    }),
  ];
  const outputs = types.map((_, i) => `${name}/${i}`);
  const attributes: Node['attributes'] = new Map([['body', { kind: 'graph', value: graph }]]);
  const node = { name, op: 'Loop', inputs: [trips, '', ...carried], outputs, attributes };
  const made = g.builder.addTyped(node, types);
  return { next: made.slice(0, carried.length), collected: made.slice(carried.length) };
}

/** Adds an If over a bool scalar, which is mostly false; both branches write values of one type. */
export function addIf(
  g: Ops,
  condition: string,
  branches: { readonly [branch in 'yes' | 'no']: (g: Ops) => readonly string[] },
): readonly string[] {
  // The usual branch first: what does not fit is found there, and named by it.
  const no = branchGraph(g, 'no', branches.no);
  const yes = branchGraph(g, 'yes', branches.yes);
  const attributes: Node['attributes'] = new Map([
    ['then_branch', { kind: 'graph', value: yes.graph }],
    ['else_branch', { kind: 'graph', value: no.graph }],
  ]);
  const outputs = yes.types.map((_, i) => `either/${i}`);
  const node = { name: 'either', op: 'If', inputs: [condition], outputs, attributes };
  return g.builder.addTyped(node, yes.types);
}

function branchGraph(g: Ops, name: string, write: (g: Ops) => readonly string[]) {
  const inner = new Ops(new GraphBuilder(g.builder));
  const results = write(inner);
  const graph: Graph = inner.builder.finish(
    name,
    results.map((value) => inner.builder.named(value, `${value}/out`)),
  );
  return { graph, types: results.map((value) => inner.builder.type(value)) };
}
