import { GraphBuilder, type Model, type ValueType } from '@starling/onnx';
import { WORDS_PER_DROPOUT } from './dropout.ts';
import { dryRun } from './forward.ts';
import { adjustedGradients, type GradientClipping } from './gradient-terms.ts';
import type { Precision } from './half-precision.ts';
import type { LossKind, LossOptions } from './losses.ts';
import { trainMinibatch } from './minibatch.ts';
import { checkedType, modelInput, ownExample } from './model-inputs.ts';
import { modelState, type Parameter } from './model-state.ts';
import { Ops } from './ops.ts';
import { optimizerRule } from './optimizer-rules.ts';
import { type OptimizerSettings, optimizerSettings } from './optimizers.ts';
import { targetOf } from './targets.ts';

export interface StepGraphOptions {
  readonly model: Model;
  readonly loss: LossKind;
  readonly lossOptions?: LossOptions | undefined;
  readonly batchSize: number;
  /** Shape of one example; the model's own when absent, where open dimensions count 1. */
  readonly example?: readonly number[];
  /** Shape of one example's target where the model's output leaves it open; see `targetType`. */
  readonly target?: readonly number[];
  /** Plain SGD unless told. */
  readonly optimizer?: OptimizerSettings;
  readonly clipping?: GradientClipping;
  /** Patterns of weights that stay as they are; see `isNamed`. */
  readonly frozen?: readonly string[];
  /** Whether the model's dropouts drop; they do unless told. */
  readonly dropout?: boolean;
  /** Of products and convolutions; float32 unless told. */
  readonly precision?: Precision;
}

/** A value that goes in and comes out changed. */
export interface Stepped {
  readonly input: string;
  readonly updated: string;
}

/** Names by which a step graph is fed and read. */
export interface StepGraph {
  readonly model: Model;
  readonly batch: string;
  /** Absent where the model takes no target. */
  readonly target: string | undefined;
  /** A float32 scalar. */
  readonly learningRate: string;
  /** Number of the step from 1 on, a float32 scalar; absent where the optimiser does not count. */
  readonly step: string | undefined;
  /** int32 [count]: random words for the dropouts; absent when nothing is dropped. */
  readonly words: { readonly input: string; readonly count: number } | undefined;
  readonly loss: string;
  readonly parameters: readonly (Parameter &
    Stepped & {
      /** Of the loss, before anything is done to it. */
      readonly gradient: string;
      /** What the optimiser carries from step to step, of the parameter's shape, 0 at first. */
      readonly states: readonly Stepped[];
    })[];
  readonly buffers: readonly (Parameter & Stepped)[];
}

/**
 * One training step as a graph: parameters by name, batch [batch, …example], target and learning
 * rate in; loss, gradients and updated parameters out. For looking at and for checking; the epoch
 * graph is what trains.
 * @throws ProtocolError when model, loss and options do not fit together
 */
export function buildStepGraph(options: StepGraphOptions): StepGraph {
  const { model, loss, lossOptions, dropout = true, precision } = options;
  const builder = new GraphBuilder();
  const g = new Ops(builder);
  const state = modelState(model, options.frozen);
  const optimizer = optimizerRule(options.optimizer ?? optimizerSettings('sgd'));
  const { batchType, target: targetType, dropouts } = fedTypes(options);
  // Inputs come first, so that no value of the model takes their names.
  const float = (name: string, shape: readonly number[]) =>
    builder.input(name, { dtype: 'float32', shape });
  const inputs = [...state.parameters, ...state.buffers].map(({ name, shape }) =>
    float(name, shape),
  );
  const batch = builder.input('batch', batchType);
  const target = targetType && builder.input('target', targetType);
  const learningRate = float('learningRate', []);
  const states = state.parameters.map(({ name, shape }) =>
    optimizer.states.map((each) => float(`${each}/${name}`, shape)),
  );
  const step = optimizer.counts ? float('step', []) : undefined;
  const count = dropout ? WORDS_PER_DROPOUT * dropouts : 0;
  const words =
    count === 0 ? undefined : builder.input('words', { dtype: 'int32', shape: [count] });
  const names = [...state.parameters, ...state.buffers].map(({ name }) => name);
  const values = new Map(names.map((name, i) => [name, inputs[i]!] as const));
  const training = { model, loss, lossOptions, state, precision };
  const made = trainMinibatch(g, training, { batch, target, values, words });
  const weights = inputs.slice(0, state.parameters.length);
  const { clipping } = options;
  const terms = { clipping, precision, proximal: undefined, control: undefined };
  const adjusted = adjustedGradients(g, made.gradients, weights, terms);
  const scalars = optimizer.scalars(g, learningRate, step);
  const parameters = state.parameters.map(({ name, shape }, i) => {
    const now = { weight: weights[i]!, gradient: adjusted[i]!, states: states[i]!, scalars };
    const next = optimizer.update(g, now);
    return {
      ...{ name, shape, input: weights[i]! },
      gradient: builder.named(made.gradients[i]!, `gradient/${name}`),
      updated: builder.named(next.weight, `updated/${name}`),
      states: next.states.map((value, j) => {
        const updated = builder.named(value, `updated/${optimizer.states[j]}/${name}`);
        return { input: states[i]![j]!, updated };
      }),
    };
  });
  const buffers = state.buffers.map(({ name, shape }, i) => {
    const updated = builder.named(made.buffers[i]!, `updated/${name}`);
    return { name, shape, input: inputs[weights.length + i]!, updated };
  });
  const mean = builder.named(made.loss, 'loss');
  const outputs = [
    mean,
    ...parameters.flatMap(({ gradient, updated }) => [gradient, updated]),
    ...parameters.flatMap((parameter) => parameter.states.map(({ updated }) => updated)),
    ...buffers.map(({ updated }) => updated),
  ];
  return {
    model: { graph: builder.finish('training-step', outputs) },
    ...{ batch, target, learningRate, step, loss: mean, parameters, buffers },
    words: words === undefined ? undefined : { input: words, count },
  };
}

/** Types of batch and target, and how many dropouts the model has. */
function fedTypes({ model, loss, batchSize, ...options }: StepGraphOptions) {
  const input = modelInput(model);
  const shape = [batchSize, ...(options.example ?? ownExample(input))];
  const { g, output: made, dropouts } = dryRun(model, shape);
  const output = g.shape(made);
  const batchType: ValueType = { dtype: checkedType(input), shape };
  const target = targetOf({ model, loss, output, batchSize, example: options.target });
  return { batchType, target, dropouts };
}
