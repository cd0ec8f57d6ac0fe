/** How a model's outputs are read. */
export type Head =
  /** One score a class, or one probability. */
  | { readonly kind: 'classes'; readonly classes: number; readonly probabilities: boolean }
  /** One score, above 0 for class 1, or its probability. */
  | { readonly kind: 'binary'; readonly probabilities: boolean }
  /** A number. */
  | { readonly kind: 'number' };

export interface ClassFigures {
  readonly label: number;
  /** Of those that are said to be of this class, the part that is; null when none is said to be. */
  readonly precision: number | null;
  /** Of those that are of this class, the part that is found; null when there are none. */
  readonly recall: number | null;
  /** 2·TP / (2·TP + FP + FN); null where the class neither occurs nor is named. */
  readonly f1: number | null;
  /** Examples of this class. */
  readonly support: number;
}

export interface ClassReport {
  readonly kind: 'classes';
  readonly examples: number;
  readonly accuracy: number;
  /** Mean cross entropy, natural logarithm. */
  readonly loss: number;
  /** Unweighted mean of the classes' F1 that are no null. */
  readonly macroF1: number | null;
  /** Examples of class `row` that were taken for class `column`. */
  readonly confusion: readonly (readonly number[])[];
  readonly perClass: readonly ClassFigures[];
}

export interface NumberReport {
  readonly kind: 'numbers';
  readonly examples: number;
  /** Mean squared error. */
  readonly loss: number;
  readonly rootMeanSquaredError: number;
  readonly meanAbsoluteError: number;
  /** 1 − squared errors / squares around the mean; null when all targets are one number. */
  readonly r2: number | null;
}

export type EvaluationReport = ClassReport | NumberReport;

/** Gathers predictions, one example after another, in double precision. */
export interface Metrics {
  /** @param outputs of one example */
  add(outputs: Float32Array, target: number): void;
  report(): EvaluationReport;
}

export function createMetrics(head: Head): Metrics {
  return head.kind === 'number' ? new NumberMetrics() : new ClassMetrics(head);
}

/** Below this a probability is 0 by rounding; its logarithm would make the mean infinite. */
const LEAST = 1e-12;
const logOf = (probability: number): number => Math.log(Math.max(LEAST, probability));

class ClassMetrics implements Metrics {
  readonly #head: Exclude<Head, { kind: 'number' }>;
  readonly #confusion: number[][];
  #lossSum = 0;
  #examples = 0;

  constructor(head: Exclude<Head, { kind: 'number' }>) {
    this.#head = head;
    const classes = head.kind === 'binary' ? 2 : head.classes;
    this.#confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  }

  add(outputs: Float32Array, target: number): void {
    const logs = this.#head.kind === 'binary' ? this.#binaryLogs(outputs[0]!) : this.#logs(outputs);
    const guess = logs.reduce((best, value, i) => (value > logs[best]! ? i : best), 0);
    this.#confusion[target]![guess]! += 1;
    this.#lossSum -= logs[target]!;
    this.#examples += 1;
  }

  #binaryLogs(score: number): readonly number[] {
    if (this.#head.probabilities) return [logOf(1 - score), logOf(score)];
    const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
    return [-softplus(score), -softplus(-score)];
  }

  #logs(outputs: Float32Array): readonly number[] {
    if (this.#head.probabilities) return Array.from(outputs, logOf);
    const most = outputs.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const sum = outputs.reduce((total, score) => total + Math.exp(score - most), 0);
    return Array.from(outputs, (score) => score - most - Math.log(sum));
  }

  report(): ClassReport {
    const confusion = this.#confusion;
    const right = confusion.reduce((sum, row, label) => sum + row[label]!, 0);
    const perClass = confusion.map((_, label) => figuresOf(confusion, label));
    const scores = perClass.flatMap(({ f1 }) => (f1 === null ? [] : [f1]));
    return {
      kind: 'classes',
      examples: this.#examples,
      accuracy: right / this.#examples,
      loss: this.#lossSum / this.#examples,
      macroF1: ratio(
        scores.reduce((sum, score) => sum + score, 0),
        scores.length,
      ),
      confusion,
      perClass,
    };
  }
}

const ratio = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole);

function figuresOf(confusion: readonly (readonly number[])[], label: number): ClassFigures {
  const row = confusion[label]!;
  const found = row[label]!;
  const support = row.reduce((sum, count) => sum + count, 0);
  const named = confusion.reduce((sum, each) => sum + each[label]!, 0);
  return {
    label,
    precision: ratio(found, named),
    recall: ratio(found, support),
    f1: ratio(2 * found, support + named),
    support,
  };
}

class NumberMetrics implements Metrics {
  #examples = 0;
  #squares = 0;
  #distances = 0;
  #mean = 0;
  /** Sum of squares around the mean, by Welford's recurrence. */
  #around = 0;

  add(outputs: Float32Array, target: number): void {
    const error = outputs[0]! - target;
    this.#examples += 1;
    this.#squares += error * error;
    this.#distances += Math.abs(error);
    const before = target - this.#mean;
    this.#mean += before / this.#examples;
    this.#around += before * (target - this.#mean);
  }

  report(): NumberReport {
    const loss = this.#squares / this.#examples;
    return {
      kind: 'numbers',
      examples: this.#examples,
      loss,
      rootMeanSquaredError: Math.sqrt(loss),
      meanAbsoluteError: this.#distances / this.#examples,
      r2: this.#around === 0 ? null : 1 - this.#squares / this.#around,
    };
  }
}
