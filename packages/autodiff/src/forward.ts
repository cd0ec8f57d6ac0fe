import { ProtocolError } from '@starling/core';
import {
  elementCount,
  equalShapes,
  GraphBuilder,
  type Model,
  replayGraph,
  type Tensor,
  type ValueInfo,
} from '@starling/onnx';
import { Ops } from './ops.ts';
import { differentiableInputs } from './rules.ts';

/** A trainable initialiser of a forward model. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
}

/**
 * What training changes, in the model's order: float32 initialisers from which a gradient path
 * leads to the output. Shapes, exponents, clip bounds and statistics are not on such a path.
 * @throws ProtocolError `model-mismatch` when there is nothing to train
 */
export function trainableParameters(model: Model): readonly Parameter[] {
  const { graph } = model;
  const reached = new Set(graph.outputs.map(({ name }) => name));
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((name) => reached.has(name))) continue;
    for (const i of differentiableInputs(node)) reached.add(node.inputs[i]!);
  }
  const found = [...graph.initializers].flatMap(([name, { dtype, shape }]) => {
    const trainable = dtype === 'float32' && reached.has(name) && elementCount(shape) > 0;
    return trainable ? [{ name, shape }] : [];
  });
  if (found.length > 0) return found;
  throw new ProtocolError('model-mismatch', 'no float32 weight of the model leads to its output');
}

/** The one input of a forward model. */
export function modelInput({ graph }: Model): ValueInfo {
  const [input, ...others] = graph.inputs;
  if (input === undefined || others.length > 0) {
    throw new ProtocolError(
      'model-unsupported',
      `the model has ${graph.inputs.length} inputs; one is supported`,
    );
  }
  if (graph.outputs.length !== 1) {
    throw new ProtocolError(
      'model-unsupported',
      `the model has ${graph.outputs.length} outputs; one is supported`,
    );
  }
  return input;
}

/**
 * Shape of the model's input for `batch` examples of shape `example`. Axis 0 is the batch whatever
 * the file says; the other axes may split an example's elements differently.
 * @throws ProtocolError `model-mismatch`
 */
export function inputShapeFor(
  model: Model,
  batch: number,
  example: readonly number[],
): readonly number[] {
  const { name, shape } = modelInput(model);
  const rest = shape.slice(1).map((dim, i) => (typeof dim === 'number' ? dim : (example[i] ?? 1)));
  if (elementCount(rest) === elementCount(example)) return [batch, ...rest];
  throw new ProtocolError(
    'model-mismatch',
    `input "${name}" takes [${shape}]; an example of shape [${example}] does not fit`,
  );
}

export interface ForwardOptions {
  readonly g: Ops;
  readonly model: Model;
  /** Batch in the builder, [batch, …example]. */
  readonly batch: string;
  /** Names in the builder for the trainable initialisers. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Repeats the model inside the builder, for one batch; answers its output [batch, …]. */
export function forward({ g, model, batch, parameters }: ForwardOptions): string {
  const input = modelInput(model);
  const [count, ...example] = g.shape(batch);
  const shaped = g.reshape(batch, inputShapeFor(model, count!, example));
  const typed = input.dtype === 'float32' ? g.cast(shaped, 'float32') : asIndices(g, shaped, input);
  const bindings = new Map([...parameters, [input.name, typed] as const]);
  return replayGraph(model.graph, { builder: g.builder, bindings })[0]!;
}

function asIndices(g: Ops, batch: string, { name, dtype }: ValueInfo): string {
  if (dtype === 'int32' || dtype === 'int64') return g.cast(batch, dtype);
  throw new ProtocolError('model-unsupported', `input "${name}" is ${dtype}`);
}

/** Shape of the model's output for a batch of the given shape, found by a dry run. */
export function outputShape(model: Model, batchShape: readonly number[]): readonly number[] {
  const g = new Ops(new GraphBuilder());
  const named = trainableParameters(model).map(({ name, shape }) => {
    return [name, g.builder.input(name, { dtype: 'float32', shape })] as const;
  });
  const dtype = modelInput(model).dtype === 'int64' ? 'int64' : 'float32';
  const batch = g.builder.input('batch', { dtype, shape: batchShape });
  return g.shape(forward({ g, model, batch, parameters: new Map(named) }));
}

/** The parameters' values in the file, in the order of `parameters`. */
export function parameterTensors(
  model: Model,
  parameters: readonly Parameter[],
): readonly Tensor[] {
  return parameters.map(({ name, shape }) => {
    const tensor = model.graph.initializers.get(name);
    if (tensor !== undefined && equalShapes(tensor.shape, shape)) return tensor;
    throw new ProtocolError(
      'model-mismatch',
      `the model has no initialiser "${name}" of [${shape}]`,
    );
  });
}
