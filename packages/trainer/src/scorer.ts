import {
  buildEvaluationGraph,
  EVALUATION_INPUTS,
  EVALUATION_OUTPUTS,
  initialVector,
  type LossKind,
} from '@starling/autodiff';
import { elementCount, type Model, readModel } from '@starling/onnx';
import type { Evaluation } from '@starling/rounds';
import type { InferenceSession } from 'onnxruntime-node';
import type { LabelledImages } from './dataset.ts';
import { createSession, loadOrt, scalarOf } from './ort.ts';

export interface ScorerOptions {
  readonly model: Model;
  readonly loss: LossKind;
  readonly data: LabelledImages;
  /** Which examples count, in which order. */
  readonly indices: Int32Array;
  readonly threads: number;
}

const BATCH_MAX = 256;
/** Images are bytes; models see numbers from 0 to 1. */
export const BYTE_SCALE = 1 / 255;

/** Scores vectors on a fixed list of examples, in batches of at most 256. */
export class Scorer {
  readonly #options: ScorerOptions;
  readonly #session: InferenceSession;
  readonly #batchSize: number;

  private constructor(options: ScorerOptions, session: InferenceSession, batchSize: number) {
    this.#options = options;
    this.#session = session;
    this.#batchSize = batchSize;
  }

  static async open(options: ScorerOptions): Promise<Scorer> {
    const batchSize = Math.min(BATCH_MAX, options.indices.length);
    const graph = buildEvaluationGraph({
      model: options.model,
      loss: options.loss,
      data: { dtype: 'uint8', example: options.data.shape, scale: BYTE_SCALE },
      batchSize,
    });
    return new Scorer(options, await createSession(graph, options.threads), batchSize);
  }

  /** Sums over the first `examplesMax` examples of the list. */
  async score(vector: Float32Array, examplesMax: number): Promise<Evaluation> {
    const examples = Math.min(examplesMax, this.#options.indices.length);
    let [lossSum, correct] = [0, 0];
    for (let from = 0; from < examples; from += this.#batchSize) {
      const chunk = this.#options.indices.subarray(
        from,
        Math.min(from + this.#batchSize, examples),
      );
      const results = await this.#session.run(await this.#feeds(vector, chunk));
      lossSum += scalarOf(results, EVALUATION_OUTPUTS.lossSum);
      correct += scalarOf(results, EVALUATION_OUTPUTS.correct);
    }
    return { lossSum, correct: Math.round(correct), examples };
  }

  async #feeds(vector: Float32Array, chunk: Int32Array) {
    const { Tensor } = await loadOrt();
    const { data } = this.#options;
    const size = this.#batchSize;
    const pixels = elementCount(data.shape);
    const batch = new Uint8Array(size * pixels);
    const labels = new Int32Array(size);
    const mask = new Float32Array(size);
    for (const [i, index] of chunk.entries()) {
      batch.set(data.images.subarray(index * pixels, (index + 1) * pixels), i * pixels);
      labels[i] = data.labels[index]!;
      mask[i] = 1;
    }
    return {
      [EVALUATION_INPUTS.vector]: new Tensor('float32', vector, [vector.length]),
      [EVALUATION_INPUTS.batch]: new Tensor('uint8', batch, [size, ...data.shape]),
      [EVALUATION_INPUTS.target]: new Tensor('int32', labels, [size]),
      [EVALUATION_INPUTS.mask]: new Tensor('float32', mask, [size]),
    };
  }

  close(): Promise<void> {
    return this.#session.release();
  }
}

export interface ModelEvaluation extends Evaluation {
  readonly accuracy: number;
  readonly meanLoss: number;
}

/**
 * Scores a classifier on labelled images in this process, with cross entropy as loss.
 * @param vector weights in place of those in the file
 */
export async function evaluateModel(
  modelBytes: Uint8Array,
  data: LabelledImages,
  vector?: Float32Array,
): Promise<ModelEvaluation> {
  const model = readModel(modelBytes);
  const indices = Int32Array.from({ length: data.count }, (_, i) => i);
  const loss = 'softmax-cross-entropy' as const;
  const scorer = await Scorer.open({ model, loss, data, indices, threads: 1 });
  const result = await scorer.score(vector ?? initialVector(model), data.count);
  await scorer.close();
  return {
    ...result,
    accuracy: result.correct / result.examples,
    meanLoss: result.lossSum / result.examples,
  };
}
