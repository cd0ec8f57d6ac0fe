import {
  buildEvaluationGraph,
  EVALUATION_INPUTS,
  EVALUATION_OUTPUTS,
  initialVector,
  type LossKind,
  type LossOptions,
  outputShape,
} from '@starling/autodiff';
import { ProtocolError } from '@starling/core';
import { elementCount, type Model, readModel, type ValueInfo } from '@starling/onnx';
import type { Evaluation } from '@starling/rounds';
import type { InferenceSession } from 'onnxruntime-node';
import type { LabelledImages } from './dataset.ts';
import { labelTensor, pickLabels } from './labels.ts';
import { createSession, loadOrt, scalarOf } from './ort.ts';

export interface ScorerOptions {
  readonly model: Model;
  readonly loss: LossKind;
  readonly lossOptions?: LossOptions;
  readonly frozen?: readonly string[];
  readonly data: LabelledImages;
  readonly classes: number;
  /** Which examples count, in which order. */
  readonly indices: Int32Array;
  readonly threads: number;
}

const BATCH_MAX = 256;
/** Images are bytes; models see numbers from 0 to 1. */
export const BYTE_SCALE = 1 / 255;

/** A graph for batches of one size. */
interface Sized {
  readonly size: number;
  readonly session: InferenceSession;
  /** The graph's input for targets, if it takes any. */
  readonly target: ValueInfo | undefined;
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
    }
    // Where nothing counts there is no mean; a loss of 0 says so beside 0 right answers.
    const mean = (sum: number, count: number) => (count > 0 ? (sum / count) * examples : 0);
    return {
      lossSum: mean(sums.lossSum, sums.weight),
      correct: Math.round(mean(sums.correct, sums.targets)),
      examples,
    };
  }

  async #sized(size: number): Promise<Sized> {
    if (size === this.#full.size) return this.#full;
    if (this.#rest?.size !== size) {
      await this.#rest?.session.release();
      this.#rest = await openSized(this.#options, size);
    }
    return this.#rest;
  }

  async #feeds(vector: Float32Array, chunk: Int32Array, { size, target }: Sized) {
    const { Tensor } = await loadOrt();
    const { data, classes } = this.#options;
    const pixels = elementCount(data.shape);
    const batch = new Uint8Array(size * pixels);
    for (const [i, index] of chunk.entries()) {
      batch.set(data.images.subarray(index * pixels, (index + 1) * pixels), i * pixels);
    }
    const labels = target && (await labelTensor(pickLabels(data, chunk), target, classes));
    return {
      [EVALUATION_INPUTS.vector]: new Tensor('float32', vector, [vector.length]),
      [EVALUATION_INPUTS.batch]: new Tensor('uint8', batch, [size, ...data.shape]),
      ...(labels && { [EVALUATION_INPUTS.target]: labels }),
    };
  }

  async close(): Promise<void> {
    await this.#full.session.release();
    await this.#rest?.session.release();
  }
}

async function openSized(options: ScorerOptions, size: number): Promise<Sized> {
  const { model, loss, lossOptions, frozen, data, threads } = options;
  const graph = buildEvaluationGraph({
    ...{ model, loss, batchSize: size },
    ...(lossOptions && { lossOptions }),
    ...(frozen && { frozen }),
    data: { dtype: 'uint8', example: data.shape, scale: BYTE_SCALE, ...labelShape(loss) },
  });
  const target = graph.graph.inputs.find(({ name }) => name === EVALUATION_INPUTS.target);
  return { size, session: await createSession(graph, threads), target };
}

/** An image has one label. */
export const labelShape = (loss: LossKind): { readonly target?: readonly number[] } =>
  loss === 'softmax-cross-entropy' ? { target: [] } : {};

export interface ModelEvaluation extends Evaluation {
  readonly accuracy: number;
  readonly meanLoss: number;
}

/**
 * Scores a classifier on labelled images in this process, with cross entropy as loss.
 * @param vector weights in place of those in the file
 * @throws ProtocolError when model and data do not fit together
 */
export async function evaluateModel(
  modelBytes: Uint8Array,
  data: LabelledImages,
  vector?: Float32Array,
): Promise<ModelEvaluation> {
  const model = readModel(modelBytes);
  const indices = Int32Array.from({ length: data.count }, (_, i) => i);
  const loss = 'softmax-cross-entropy' as const;
  const outputs = outputShape(model, [1, ...data.shape])[1] ?? 0;
  const most = data.labels.reduce((largest, label) => Math.max(largest, label), 0);
  if (most >= outputs) {
    throw new ProtocolError('data-mismatch', `label ${most} for a model of ${outputs} outputs`);
  }
  const scorer = await Scorer.open({ model, loss, data, classes: outputs, indices, threads: 1 });
  const result = await scorer.score(vector ?? initialVector(model), data.count);
  await scorer.close();
  return {
    ...result,
    accuracy: result.correct / result.examples,
    meanLoss: result.lossSum / result.examples,
  };
}
