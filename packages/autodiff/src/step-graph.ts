import { assert } from '@starling/core';
import { GraphBuilder, type Model } from '@starling/onnx';
import { backward } from './backward.ts';
import {
  forward,
  modelInput,
  outputShape,
  type Parameter,
  trainableParameters,
} from './forward.ts';
import { type LossKind, lossTerms, targetType } from './losses.ts';
import { Ops } from './ops.ts';
import { sgdStep } from './optimizer.ts';

export interface StepGraphOptions {
  readonly model: Model;
  readonly loss: LossKind;
  readonly batchSize: number;
  /** Shape of one example; the model's own when absent, where open dimensions count 1. */
  readonly example?: readonly number[];
}

/** Names by which a step graph is fed and read. */
export interface StepGraph {
  readonly model: Model;
  readonly batch: string;
  readonly target: string;
  readonly learningRate: string;
  readonly loss: string;
  readonly parameters: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly input: string;
    readonly gradient: string;
    /** The weight after one step of plain SGD. */
    readonly updated: string;
  }[];
}

/**
 * One training step as a graph: parameters by name, batch [batch, …example], target and learning
 * rate in; loss, gradients and updated parameters out. For looking at and for checking; the epoch
 * graph is what trains.
 */
export function buildStepGraph(options: StepGraphOptions): StepGraph {
  const { model, loss, batchSize } = options;
  const builder = new GraphBuilder();
  const g = new Ops(builder);
  const parameters = trainableParameters(model);
  const input = modelInput(model);
  const own = input.shape.slice(1).map((dim) => (typeof dim === 'number' ? dim : 1));
  const example = options.example ?? own;
  const dtype = input.dtype === 'int64' ? 'int64' : 'float32';
  const inputs = new Map(
    parameters.map(({ name, shape }) => [name, builder.input(name, { dtype: 'float32', shape })]),
  );
  const batch = builder.input('batch', { dtype, shape: [batchSize, ...example] });
  // Inputs come first, so that no value of the model takes their names.
  const type = targetType(loss, outputShape(model, [batchSize, ...example]));
  const target = builder.input('target', type);
  const learningRate = builder.input('learningRate', { dtype: 'float32', shape: [] });
  const output = forward({ g, model, batch, parameters: inputs });
  const terms = lossTerms(g, loss, output, target);
  const gradients = parameterGradients(g, { output, seed: terms.gradient(), inputs, parameters });
  const made = parameters.map(({ name, shape }) => {
    const input = inputs.get(name)!;
    const gradient = builder.named(gradients.get(name)!, `gradient/${name}`);
    const step = g.mul(gradient, learningRate);
    const { weight } = sgdStep(g, { weight: input, velocity: undefined }, step, 0);
    return { name, shape, input, gradient, updated: builder.named(weight, `updated/${name}`) };
  });
  const mean = builder.named(terms.mean, 'loss');
  const outputs = [mean, ...made.flatMap(({ gradient, updated }) => [gradient, updated])];
  const graph = builder.finish('training-step', outputs);
  return { model: { graph }, batch, target, learningRate, loss: mean, parameters: made };
}

interface ParameterGradients {
  readonly output: string;
  readonly seed: string;
  readonly inputs: ReadonlyMap<string, string>;
  readonly parameters: readonly Parameter[];
}

/** Gradients by parameter name, behind the nodes that the builder holds so far. */
export function parameterGradients(
  g: Ops,
  { output, seed, inputs, parameters }: ParameterGradients,
): ReadonlyMap<string, string> {
  const wanted = [...inputs.values()];
  const found = backward({ g, nodes: [...g.builder.nodes], output, seed, wanted });
  return new Map(
    parameters.map(({ name }) => {
      const gradient = found.get(inputs.get(name)!);
      assert(gradient !== undefined, `no gradient reaches "${name}"`);
      return [name, gradient];
    }),
  );
}
