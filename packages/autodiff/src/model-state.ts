import { ProtocolError } from '@starling/core';
import { elementCount, equalShapes, type Model, type Node, type Tensor } from '@starling/onnx';
import { fixedValues } from './fixed-values.ts';
import { idlePatterns, isNamed } from './frozen.ts';
import { differentiableInputs, isConstantName, weightInputs } from './rules.ts';
import { isBatchStatistics } from './rules-training.ts';

/** An initialiser of a forward model that training changes. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
}

/** What training changes in a model, each list in the model's order. */
export interface ModelState {
  /** Initialisers that follow their gradients. */
  readonly parameters: readonly Parameter[];
  /** Running statistics of BatchNormalization, which follow the batches. */
  readonly buffers: readonly Parameter[];
  /** Weights that one might expect to be trained and that are not, each with the reason. */
  readonly warnings: readonly string[];
}

/**
 * Parameters are the float32 initialisers from which a gradient path leads to the output: shapes,
 * exponents and clip bounds are not on such a path, constants are told by their names, masks and
 * positions by their values. Buffers are the running statistics of BatchNormalization nodes that
 * are exported in training mode. What `frozen` matches is neither: it stays in the model as a
 * constant and takes no place in any vector, and a BatchNormalization whose statistics are frozen
 * normalises by them.
 * @param frozen patterns of names, see `isNamed`
 * @throws ProtocolError `model-mismatch` when there is nothing to train
 */
export function modelState({ graph }: Model, frozen: readonly string[] = []): ModelState {
  const { nodes } = graph;
  const reached = new Set(graph.outputs.map(({ name }) => name));
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((name) => reached.has(name))) continue;
    for (const i of weightInputs(node, graph.initializers)) reached.add(node.inputs[i]!);
  }
  const statistics = runningStatistics(nodes);
  const floats = [...graph.initializers].flatMap(([name, { dtype, shape }]) =>
    dtype === 'float32' && elementCount(shape) > 0 && !isConstantName(name, shape)
      ? [{ name, shape }]
      : [],
  );
  const fixed = new Map(
    floats.flatMap(({ name }) => {
      const reason = reached.has(name) ? fixedValues(graph.initializers.get(name)!) : undefined;
      return reason === undefined ? [] : [[name, reason] as const];
    }),
  );
  const trainable = floats.filter(({ name }) => reached.has(name) && !fixed.has(name));
  const free = ({ name }: Parameter) => !isNamed(name, frozen);
  const parameters = trainable.filter(free);
  const buffers = floats.filter(({ name }) => statistics.has(name) && !reached.has(name));
  if (trainable.length === 0) {
    throw new ProtocolError('model-mismatch', 'no float32 weight of the model leads to its output');
  }
  if (parameters.length === 0) {
    const patterns = frozen.join(', ');
    const what = `no weight is left to train: ${patterns} freezes all ${trainable.length}`;
    throw new ProtocolError('model-mismatch', what);
  }
  const idle = idlePatterns([...graph.initializers.keys()], frozen);
  const cut = floats.filter(({ name }) => !reached.has(name) && !statistics.has(name));
  return {
    parameters,
    buffers: buffers.filter(free),
    warnings: [
      ...idle.map((pattern) => `frozen: "${pattern}" matches no weight`),
      ...Array.from(fixed, ([name, reason]) => `"${name}" is not trained: ${reason}`),
      ...cut.filter(free).flatMap((weight) => cutWarning(nodes, weight)),
    ],
  };
}

/** The parameters of `modelState`. */
export const trainableParameters = (
  model: Model,
  frozen: readonly string[] = [],
): readonly Parameter[] => modelState(model, frozen).parameters;

/** What a job's vector holds, in its order: parameters, then buffers (design decision 6a). */
export function vectorState(model: Model, frozen: readonly string[] = []): readonly Parameter[] {
  const { parameters, buffers } = modelState(model, frozen);
  return [...parameters, ...buffers];
}

/** Names of means and variances that batches change. */
function runningStatistics(nodes: readonly Node[]): ReadonlySet<string> {
  // Exporters give a tensor that occurs twice a second name by an Identity.
  const origin = new Map(
    nodes.flatMap(({ op, inputs, outputs }) =>
      op === 'Identity' ? [[outputs[0]!, inputs[0]!] as const] : [],
    ),
  );
  const found = nodes.filter(isBatchStatistics).flatMap(({ inputs }) => inputs.slice(3, 5));
  return new Set(found.map((name) => origin.get(name) ?? name));
}

/**
 * Where the way from a weight to the output ends for its gradient, in one sentence; none for what
 * is no weight: one number, or an operand that only sets how an operator works.
 */
function cutWarning(nodes: readonly Node[], { name, shape }: Parameter): readonly string[] {
  if (elementCount(shape) < 2) return [];
  const behind = new Set([name]);
  for (const node of nodes) {
    if (!node.inputs.some((input) => behind.has(input))) continue;
    const through = differentiableInputs(node);
    if (through.length === 0) {
      return [`"${name}" is not trained: no gradient passes node "${node.name}" (${node.op})`];
    }
    if (through.some((i) => behind.has(node.inputs[i]!))) {
      for (const output of node.outputs) behind.add(output);
    }
  }
  return [];
}

/** The values of `state` in the file, in its order. */
export function stateTensors(model: Model, state: readonly Parameter[]): readonly Tensor[] {
  return state.map(({ name, shape }) => {
    const tensor = model.graph.initializers.get(name);
    if (tensor !== undefined && equalShapes(tensor.shape, shape)) return tensor;
    throw new ProtocolError(
      'model-mismatch',
      `the model has no initialiser "${name}" of [${shape}]`,
    );
  });
}
