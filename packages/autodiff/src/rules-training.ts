import { ProtocolError } from '@starling/core';
import { elementCount, ints, type Node, numberAttribute, numbersOf } from '@starling/onnx';
import type { DropoutMasks } from './dropout.ts';
import { once } from './once.ts';
import type { Ops } from './ops.ts';
import type { GradientCall, GradientRule } from './rule.ts';

/** What the forward pass does otherwise in training. */
export interface TrainingPass {
  /** Undefined when nothing is dropped. */
  readonly dropout: DropoutMasks | undefined;
}

/** Nodes that are written in another way than the model has them, and what comes of it. */
export interface Rewriting {
  readonly rewrite: (node: Node, inputs: readonly string[]) => readonly string[] | undefined;
  /** The newest value of a running statistic, by the name it came in under. */
  readonly newest: (statistic: string) => string;
  /** Gradient rules of single nodes, by their first output. */
  readonly ownRules: ReadonlyMap<string, GradientRule>;
}

/** @param pass undefined in evaluation */
export function rewriting(g: Ops, pass: TrainingPass | undefined): Rewriting {
  const moved = new Map<string, string>();
  const ownRules = new Map<string, GradientRule>();
  const newest = (statistic: string) => moved.get(statistic) ?? statistic;
  const rewrite = (node: Node, inputs: readonly string[]): readonly string[] | undefined => {
    if (node.op === 'Dropout') return dropout({ g, node, inputs }, pass?.dropout);
    if (!isBatchStatistics(node)) return undefined;
    const call = { g, node, inputs: inputs.map(newest) };
    // Constant statistics are frozen ones.
    const frozen = g.builder.valueOf(call.inputs[3]!) !== undefined;
    if (pass === undefined || frozen) return runningForm(call);
    const made = batchForm(call);
    for (const i of [1, 2]) moved.set(inputs[2 + i]!, made.outputs[i]!);
    ownRules.set(made.outputs[0]!, made.rule);
    return made.outputs;
  };
  return { rewrite, newest, ownRules };
}

interface RewriteCall {
  readonly g: Ops;
  readonly node: Node;
  /** Names in the builder. */
  readonly inputs: readonly string[];
}

/** Whether a node normalises by the statistics of its batch in training. */
export const isBatchStatistics = (node: Node): boolean =>
  node.op === 'BatchNormalization' && numberAttribute(node, 'training_mode', 0) === 1;

/**
 * Normalises by the running statistics, which stay as they are. A variance that was averaged on a
 * grid may have come out a little below zero.
 */
function runningForm({ g, node, inputs }: RewriteCall): readonly string[] {
  const epsilon = numberAttribute(node, 'epsilon', 1e-5);
  const [mean, variance] = [inputs[3]!, inputs[4]!];
  const constant = g.builder.valueOf(variance) !== undefined;
  const positive = constant ? variance : g.call('Max', [variance, g.number(0)]);
  const y = normalise(g, [...inputs.slice(0, 3), mean, positive], { epsilon, node });
  return [y, mean, variance];
}

interface NormaliseOptions {
  readonly epsilon: number;
  readonly node?: Node;
}

/** (x − mean) / √(variance + ε) · scale + bias in one pass; all but x are [channels]. */
function normalise(g: Ops, inputs: readonly string[], { epsilon, node }: NormaliseOptions): string {
  const names = node === undefined ? {} : { name: node.name, outputs: [node.outputs[0]!] };
  const attributes = { epsilon: { kind: 'float' as const, value: epsilon } };
  return g.builder.add('BatchNormalization', inputs, attributes, names);
}

/**
 * Normalises by mean and variance of the batch, and moves the running statistics as PyTorch does:
 * r ← momentum·r + (1 − momentum)·s, where the variance divides by count − 1. One value for each
 * channel has no variance: then the running statistics stay.
 */
function batchForm({ g, node, inputs }: RewriteCall) {
  const [x, scale, bias, runningMean, runningVariance] = inputs as [string, ...string[]];
  const shape = g.shape(x);
  const channels = shape[1]!;
  const axes = shape.flatMap((_, i) => (i === 1 ? [] : [i]));
  const count = elementCount(shape) / channels;
  const flat = (statistic: string) => g.reshape(statistic, [channels]);
  const meanOver = (value: string) => g.call('ReduceMean', [value], { axes: ints(axes) });
  const mean = meanOver(x);
  const centred = g.sub(x, mean);
  const variance = meanOver(g.square(centred));
  const epsilon = numberAttribute(node, 'epsilon', 1e-5);
  const statistics = [flat(mean), flat(variance)] as const;
  const y = normalise(g, [x, scale!, bias!, ...statistics], { epsilon, node });
  const keep = numberAttribute(node, 'momentum', 0.9);
  const move = (running: string, statistic: string, correction: number) =>
    count < 2
      ? running
      : g.add(g.scale(running, keep), g.scale(statistic, (1 - keep) * correction));
  const rule: GradientRule = {
    inputs: [0, 1, 2],
    gradients: (call) => batchGradients(call, { axes, count, centred, variance, epsilon }),
  };
  const outputs = [
    y,
    move(runningMean!, statistics[0], 1),
    move(runningVariance!, statistics[1], count / (count - 1)),
  ];
  return { outputs, rule };
}

interface BatchStatistics {
  readonly axes: readonly number[];
  /** Values of each channel. */
  readonly count: number;
  /** x − mean. */
  readonly centred: string;
  /** With size 1 along `axes`. */
  readonly variance: string;
  readonly epsilon: number;
}

/**
 * With n = (x − mean)/σ: dx = scale/σ·(dy − mean(dy) − n·mean(dy·n)), dscale = Σ dy·n, dbias = Σ dy
 * (Ioffe and Szegedy 2015). The first two terms of dx are a normalisation again, by σ and mean(dy).
 */
function batchGradients({ g, x, dy }: GradientCall, statistics: BatchStatistics) {
  const { axes, count, centred, variance, epsilon } = statistics;
  const [scale, varianceInput] = [x[1]!, x[4]!];
  const channels = g.shape(scale);
  const meanOfDy = once(() => g.call('ReduceMean', [dy], { axes: ints(axes) }));
  const inverse = once(() => {
    const deviation = g.call('Sqrt', [g.add(variance, g.number(epsilon))]);
    return g.call('Reciprocal', [deviation]);
  });
  /** Σ dy·(x − mean), with size 1 along `axes`. */
  const products = once(() => g.reduceSum(g.mul(dy, centred), axes));
  return [
    () => {
      const mean = g.reshape(meanOfDy(), channels);
      const first = normalise(g, [dy, scale, g.zeros(channels), mean, varianceInput], { epsilon });
      const perChannel = g.mul(g.scale(products(), 1 / count), g.square(inverse()));
      const factor = g.mul(g.mul(perChannel, inverse()), g.reshape(scale, g.shape(variance)));
      return g.sub(first, g.mul(centred, factor));
    },
    () => g.reshape(g.mul(products(), inverse()), channels),
    () => g.reshape(g.scale(meanOfDy(), count), channels),
  ];
}

/**
 * Inverted dropout, as in PyTorch: what stays is divided by the probability to stay. Without effect
 * in evaluation, when it is switched off, and when the node itself is not in training mode.
 */
function dropout(call: RewriteCall, masks: DropoutMasks | undefined): readonly string[] {
  const { g, node, inputs } = call;
  const x = inputs[0] ?? '';
  const active = (inputs[2] ?? '') !== '' && constantOf(call, 2, 'its training mode') !== 0;
  const ratio = (inputs[1] ?? '') === '' ? 0.5 : constantOf(call, 1, 'its ratio');
  if (!(ratio >= 0 && ratio <= 1)) fail(node, `ratio ${ratio} is no probability`);
  const wantsMask = (node.outputs[1] ?? '') !== '';
  if (masks === undefined || !active || ratio === 0) {
    return wantsMask ? [x, everything(g, g.shape(x))] : [x];
  }
  const kept = masks.kept(g.shape(x), ratio);
  const y = g.mul(x, ratio === 1 ? kept : g.scale(kept, 1 / (1 - ratio)));
  return wantsMask ? [y, g.cast(kept, 'bool')] : [y];
}

function constantOf({ g, node, inputs }: RewriteCall, index: number, what: string): number {
  const value = g.builder.valueOf(inputs[index]!);
  if (value?.data.length === 1) return numbersOf(value)[0]!;
  return fail(node, `${what} is not constant`);
}

function fail(node: Node, message: string): never {
  throw new ProtocolError('model-unsupported', `node "${node.name}" (${node.op}): ${message}`);
}

const everything = (g: Ops, shape: readonly number[]) =>
  g.cast(g.broadcastTo(g.number(1), shape), 'bool');
