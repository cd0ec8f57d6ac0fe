import type { EpochPlan } from '../epoch-plan.ts';
import { minibatchCounts } from '../epoch-plan.ts';
import type { GradientClipping } from '../gradient-terms.ts';
import type { LossKind, LossOptions } from '../losses.ts';
import type { OptimizerSettings } from '../optimizers.ts';
import { referenceLoss } from './reference-losses.ts';

/** Training of y = x·w + b as PyTorch's documentation has it, in double precision. */
export interface ReferenceTraining {
  readonly loss: Exclude<LossKind, 'model-output'>;
  readonly lossOptions?: LossOptions;
  /** Rows of all examples. */
  readonly data: readonly (readonly number[])[];
  readonly targets: readonly (readonly number[])[] | readonly number[];
  readonly plan: EpochPlan;
  readonly order: Int32Array;
  readonly optimizer: OptimizerSettings;
  /** Of each step. */
  readonly rates: ArrayLike<number>;
  readonly clipping?: GradientClipping;
  readonly proximal?: number;
  readonly control?: ArrayLike<number>;
  /** w [inputs, outputs] in row-major order, then b [outputs]. */
  readonly vector: ArrayLike<number>;
  readonly outputs: number;
}

export interface ReferenceResult {
  readonly vector: readonly number[];
  readonly losses: readonly number[];
}

export function referenceTraining(training: ReferenceTraining): ReferenceResult {
  const { plan, rates, vector } = training;
  const start = Array.from(vector);
  const rule = new ReferenceOptimizer(training.optimizer, start.length);
  const losses: number[] = [];
  let current = [...start];
  for (const [step, minibatches] of minibatchCounts(plan).entries()) {
    const made = Array.from({ length: minibatches }, (_, i) =>
      minibatchGradient(training, current, rowsOf(training, step, i)),
    );
    losses.push(made.reduce((sum, { mean }) => sum + mean, 0) / minibatches);
    const mean = current.map((_, j) => made.reduce((sum, { gradient }) => sum + gradient[j]!, 0));
    const gradient = mean.map((sum) => sum / minibatches);
    current = rule.step(current, adjusted(training, gradient, current, start), rates[step]!);
  }
  return { vector: current, losses };
}

/** Examples of one minibatch. */
function rowsOf({ plan, order }: ReferenceTraining, step: number, minibatch: number) {
  const { batchSize, lastBatch, batches, accumulation, steps, epochs } = plan;
  const inEpoch = (step % (steps / epochs)) * accumulation + minibatch;
  const from = (step * accumulation + minibatch) * batchSize;
  const size = inEpoch === batches - 1 ? lastBatch : batchSize;
  return Array.from(order.subarray(from, from + size));
}

function minibatchGradient(
  { loss, lossOptions, data, targets, outputs }: ReferenceTraining,
  vector: readonly number[],
  rows: readonly number[],
) {
  const inputs = data[0]!.length;
  const weight = (i: number, j: number) => vector[i * outputs + j]!;
  const columns = Array.from({ length: outputs }, (_, j) => j);
  const made = rows.map((row) =>
    columns.map((j) =>
      data[row]!.reduce((sum, x, i) => sum + x * weight(i, j), vector[inputs * outputs + j]!),
    ),
  );
  const chosen = rows.map((row) => targets[row]!) as typeof targets;
  const { mean, gradient } = referenceLoss(loss, made, chosen, lossOptions);
  const sum = (value: (example: number) => number) =>
    rows.reduce((total, _, example) => total + value(example), 0);
  const ofWeights = data[0]!.flatMap((_, i) =>
    columns.map((j) => sum((example) => data[rows[example]!]![i]! * gradient[example]![j]!)),
  );
  const ofBias = columns.map((j) => sum((example) => gradient[example]![j]!));
  return { mean, gradient: [...ofWeights, ...ofBias] };
}

function adjusted(
  { proximal = 0, clipping = { norm: 0, value: 0 }, control }: ReferenceTraining,
  gradient: readonly number[],
  weights: readonly number[],
  start: readonly number[],
): number[] {
  let made = gradient.map((value, i) => value + proximal * (weights[i]! - start[i]!));
  const { norm, value } = clipping;
  if (value > 0) made = made.map((each) => Math.min(value, Math.max(-value, each)));
  if (norm > 0) {
    const length = Math.sqrt(made.reduce((sum, each) => sum + each ** 2, 0));
    made = made.map((each) => each * Math.min(1, norm / (length + 1e-6)));
  }
  return made.map((each, i) => each + (control?.[i] ?? 0));
}

/** The update rules in the order and with the corrections of PyTorch's documentation. */
class ReferenceOptimizer {
  readonly #settings: OptimizerSettings;
  readonly #first: number[];
  readonly #second: number[];
  #count = 0;

  constructor(settings: OptimizerSettings, length: number) {
    this.#settings = settings;
    this.#first = new Array<number>(length).fill(0);
    this.#second = new Array<number>(length).fill(0);
  }

  step(weights: readonly number[], gradients: readonly number[], rate: number): number[] {
    this.#count += 1;
    const { optimizer, weightDecay } = this.#settings;
    return weights.map((weight, i) => {
      if (optimizer === 'adamw') {
        const shrunk = weight * (1 - rate * weightDecay);
        return shrunk - this.#direction(i, gradients[i]!, rate);
      }
      return weight - this.#direction(i, gradients[i]! + weightDecay * weight, rate);
    });
  }

  #direction(i: number, gradient: number, rate: number): number {
    const [first, second, t] = [this.#first, this.#second, this.#count];
    const settings = this.#settings;
    const { momentum, nesterov, beta1, beta2, alpha, epsilon } = settings;
    switch (settings.optimizer) {
      case 'sgd':
        first[i] = momentum * first[i]! + gradient;
        return rate * (nesterov ? gradient + momentum * first[i]! : first[i]!);
      case 'adam':
      case 'adamw': {
        first[i] = beta1 * first[i]! + (1 - beta1) * gradient;
        second[i] = beta2 * second[i]! + (1 - beta2) * gradient ** 2;
        const mean = first[i]! / (1 - beta1 ** t);
        const square = second[i]! / (1 - beta2 ** t);
        return (rate * mean) / (Math.sqrt(square) + epsilon);
      }
      case 'rmsprop':
        second[i] = alpha * second[i]! + (1 - alpha) * gradient ** 2;
        first[i] = momentum * first[i]! + gradient / (Math.sqrt(second[i]!) + epsilon);
        return rate * first[i]!;
      case 'adagrad':
        second[i] = second[i]! + gradient ** 2;
        return (rate * gradient) / (Math.sqrt(second[i]!) + epsilon);
    }
  }
}
