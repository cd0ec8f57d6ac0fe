import {
  buildEvaluationGraph,
  EVALUATION_INPUTS,
  EVALUATION_OUTPUTS,
  initialVector,
  type LossKind,
  type LossOptions,
  type MetricOutput,
  metricName,
  outputShape,
  trainedModel,
} from '@starling/autodiff';
import { ProtocolError } from '@starling/core';
import { type Model, readModel } from '@starling/onnx';
import type { Evaluation } from '@starling/rounds';
import type { InferenceSession } from 'onnxruntime-node';
import { type ExampleSet, pickExamples } from './data/example-set.ts';
import { inputTensor, residentData } from './inputs.ts';
import { createSession, loadOrt, scalarOf } from './ort.ts';
import { type TargetForm, targetForm, targetTensor } from './targets.ts';

export interface ScorerOptions {
  readonly model: Model;
  readonly loss: LossKind;
  readonly lossOptions?: LossOptions;
  readonly frozen?: readonly string[];
  readonly set: ExampleSet;
  readonly classes: number;
  /** Which examples count, in which order. */
  readonly indices: Int32Array;
  readonly threads: number;
  readonly metrics?: readonly MetricOutput[];
}

const BATCH_MAX = 256;

/** A graph for batches of one size. */
interface Sized {
  readonly size: number;
  readonly session: InferenceSession;
  /** What it takes as targets, if it takes any. */
  readonly form: TargetForm | undefined;
}

/** Scores vectors on a fixed list of examples, in batches of at most 256. */
export class Scorer {
  readonly #options: ScorerOptions;
  readonly #full: Sized;
  /** For what is left behind the full batches. */
  #rest: Sized | undefined;

  private constructor(options: ScorerOptions, full: Sized) {
    this.#options = options;
    this.#full = full;
  }

  static async open(options: ScorerOptions): Promise<Scorer> {
    return new Scorer(
      options,
      await openSized(options, Math.min(BATCH_MAX, options.indices.length)),
    );
  }

  /** Sums over the first `examplesMax` examples of the list. */
  async score(vector: Float32Array, examplesMax: number): Promise<Evaluation> {
    const examples = Math.min(examplesMax, this.#options.indices.length);
    const { metrics = [] } = this.#options;
    const named = metrics.map(() => 0);
    const sums = { lossSum: 0, weight: 0, correct: 0, targets: 0 };
    for (let from = 0; from < examples; from += this.#full.size) {
      const to = Math.min(from + this.#full.size, examples);
      const chunk = this.#options.indices.subarray(from, to);
      const sized = await this.#sized(chunk.length);
      const results = await sized.session.run(await this.#feeds(vector, chunk, sized));
      sums.lossSum += scalarOf(results, EVALUATION_OUTPUTS.lossSum);
      sums.weight += scalarOf(results, EVALUATION_OUTPUTS.weight);
      sums.correct += scalarOf(results, EVALUATION_OUTPUTS.correct);
      sums.targets += scalarOf(results, EVALUATION_OUTPUTS.targets);
      for (const i of named.keys()) named[i]! += scalarOf(results, metricName(i));
    }
    // Where nothing counts there is no mean; a loss of 0 says so beside 0 right answers.
    const mean = (sum: number, count: number) => (count > 0 ? (sum / count) * examples : 0);
    return {
      lossSum: mean(sums.lossSum, sums.weight),
      correct: Math.round(mean(sums.correct, sums.targets)),
      examples,
      ...(named.length > 0 && { named }),
    };
  }

  async #sized(size: number): Promise<Sized> {
    if (size === this.#full.size) return this.#full;
    if (this.#rest?.size !== size) {
      await this.#rest?.session.release();
      // A session that is gone must not be ended again when the next one cannot be made.
      this.#rest = undefined;
      this.#rest = await openSized(this.#options, size);
    }
    return this.#rest;
  }

  async #feeds(vector: Float32Array, chunk: Int32Array, { form }: Sized) {
    const { Tensor } = await loadOrt();
    const { info, examples } = this.#options.set;
    const picked = pickExamples(info, examples, chunk);
    const targets = await targetTensor(form, picked);
    return {
      [EVALUATION_INPUTS.vector]: new Tensor('float32', vector, [vector.length]),
      [EVALUATION_INPUTS.batch]: await inputTensor(info, picked),
      ...(targets && { [EVALUATION_INPUTS.target]: targets }),
    };
  }

  async close(): Promise<void> {
    await this.#full.session.release();
    await this.#rest?.session.release();
  }
}

async function openSized(options: ScorerOptions, size: number): Promise<Sized> {
  const { model, loss, lossOptions, frozen, set, classes, threads, metrics = [] } = options;
  const graph = buildEvaluationGraph({
    ...{ model, loss, batchSize: size, metrics },
    ...(lossOptions && { lossOptions }),
    ...(frozen && { frozen }),
    data: residentData(trainedModel(model, options), set.info, loss),
  });
  const target = graph.graph.inputs.find(({ name }) => name === EVALUATION_INPUTS.target);
  const form = targetForm(set.info.target, target, classes);
  return { size, session: await createSession(graph, threads), form };
}

export interface ModelEvaluation extends Evaluation {
  readonly accuracy: number;
  readonly meanLoss: number;
}

/**
 * Scores a classifier on examples in this process, with cross entropy as loss.
 * @param vector weights in place of those in the file
 * @throws ProtocolError when model and data do not fit together
 */
export async function evaluateModel(
  modelBytes: Uint8Array,
  set: ExampleSet,
  vector?: Float32Array,
): Promise<ModelEvaluation> {
  const model = readModel(modelBytes);
  const { info, examples } = set;
  const indices = Int32Array.from({ length: info.count }, (_, i) => i);
  const loss = 'softmax-cross-entropy' as const;
  const outputs = outputShape(model, [1, ...info.shape])[1] ?? 0;
  const labels = Array.from(examples.targets ?? []);
  const most = labels.reduce((largest, label) => Math.max(largest, label), 0);
  if (most >= outputs) {
    throw new ProtocolError('data-mismatch', `label ${most} for a model of ${outputs} outputs`);
  }
  const scorer = await Scorer.open({ model, loss, set, classes: outputs, indices, threads: 1 });
  try {
    const result = await scorer.score(vector ?? initialVector(model), info.count);
    return {
      ...result,
      accuracy: result.correct / result.examples,
      meanLoss: result.lossSum / result.examples,
    };
  } finally {
    await scorer.close();
  }
}
