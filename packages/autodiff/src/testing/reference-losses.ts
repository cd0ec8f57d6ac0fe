import type { LossKind, LossOptions } from '../losses.ts';

/** Mean loss of a batch and its gradient with respect to the outputs, [batch][outputs]. */
export interface ReferenceLoss {
  readonly mean: number;
  readonly gradient: readonly (readonly number[])[];
}

/** Numbers of each row, or a label of each row. */
export type ReferenceTargets = readonly (readonly number[])[] | readonly number[];

type Rows = readonly (readonly number[])[];
type Elementwise = (y: number, t: number) => readonly [loss: number, slope: number];

/** The losses as their definitions say, in double precision. */
export function referenceLoss(
  loss: Exclude<LossKind, 'model-output'>,
  outputs: Rows,
  targets: ReferenceTargets,
  options: LossOptions = {},
): ReferenceLoss {
  if (loss === 'softmax-cross-entropy') {
    return crossEntropy(outputs, targets as readonly number[], options);
  }
  const pair = ELEMENTWISE[loss](options.delta ?? 1);
  const count = outputs.length * outputs[0]!.length;
  const made = outputs.map((row, i) => row.map((y, j) => pair(y, (targets as Rows)[i]![j]!)));
  return {
    mean: made.flat().reduce((sum, [value]) => sum + value, 0) / count,
    gradient: made.map((row) => row.map(([, slope]) => slope / count)),
  };
}

const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));

const huber =
  (delta: number): Elementwise =>
  (y, t) => {
    const d = y - t;
    if (Math.abs(d) <= delta) return [d ** 2 / 2, d];
    return [delta * (Math.abs(d) - delta / 2), delta * Math.sign(d)];
  };

type Smooth = Exclude<LossKind, 'softmax-cross-entropy' | 'model-output'>;

const ELEMENTWISE: Readonly<Record<Smooth, (delta: number) => Elementwise>> = {
  'mean-squared-error': () => (y, t) => [(y - t) ** 2, 2 * (y - t)],
  'mean-absolute-error': () => (y, t) => [Math.abs(y - t), Math.sign(y - t)],
  'sigmoid-binary-cross-entropy': () => (z, t) => {
    const p = sigmoid(z);
    return [-t * Math.log(p) - (1 - t) * Math.log(1 - p), p - t];
  },
  huber,
  'smooth-l1': (delta) => (y, t) => {
    const [loss, slope] = huber(delta)(y, t);
    return [loss / delta, slope / delta];
  },
};

function crossEntropy(
  outputs: Rows,
  labels: readonly number[],
  options: LossOptions,
): ReferenceLoss {
  const { labelSmoothing = 0, ignoreIndex = null, classWeights = [] } = options;
  const classes = outputs[0]!.length;
  const weightOf = (label: number) => (classWeights.length === 0 ? 1 : classWeights[label]!);
  const counted = labels.map((label) => label !== ignoreIndex);
  const total = labels.reduce((sum, label, i) => sum + (counted[i] ? weightOf(label) : 0), 0);
  let mean = 0;
  const gradient = outputs.map((row, i) => {
    if (!counted[i]) return row.map(() => 0);
    const top = Math.max(...row);
    const sum = row.reduce((acc, z) => acc + Math.exp(z - top), 0);
    const soft = row.map((_, c) => {
      const hard = c === labels[i] ? 1 - labelSmoothing : 0;
      return (hard + labelSmoothing / classes) * weightOf(c);
    });
    const mass = soft.reduce((acc, value) => acc + value, 0);
    mean -= row.reduce((acc, z, c) => acc + soft[c]! * (z - top - Math.log(sum)), 0) / total;
    return row.map((z, c) => (mass * (Math.exp(z - top) / sum) - soft[c]!) / total);
  });
  return { mean, gradient };
}
