import { buildForwardGraph, type ForwardGraph, outputShape } from '@starling/autodiff';
import { ProtocolError } from '@starling/core';
import { elementCount, type Model, readModel } from '@starling/onnx';
import type { InferenceSession } from 'onnxruntime-node';
import type { LabelledImages } from './dataset.ts';
import { createMetrics, type EvaluationReport, type Head } from './metrics.ts';
import { createSession, loadOrt } from './ort.ts';
import { BYTE_SCALE } from './scorer.ts';

/** How outputs are read: `auto` goes by how many there are, and by how many classes. */
export const HEAD_KINDS = ['auto', 'classes', 'numbers'] as const;

export interface ReportOptions {
  readonly model: Uint8Array;
  readonly data: LabelledImages;
  readonly head: (typeof HEAD_KINDS)[number];
  /** Examples that count, all unless told. */
  readonly indices?: Int32Array;
  readonly threads?: number;
  readonly onProgress?: (done: number, all: number) => void;
}

const BATCH_MAX = 256;

/**
 * Scores a model with the weights in its file on local data, in this process.
 * @throws ProtocolError when model and data do not fit together, saying which shapes differ
 */
export async function reportModel(options: ReportOptions): Promise<EvaluationReport> {
  const { data, onProgress, threads = 1 } = options;
  const model = readModel(options.model);
  const indices = options.indices ?? Int32Array.from({ length: data.count }, (_, i) => i);
  const head = headOf(model, data, options.head);
  const metrics = createMetrics(head);
  const width = head.kind === 'classes' ? head.classes : 1;
  const sessions = new Map<number, Sized>();
  try {
    for (let from = 0; from < indices.length; from += BATCH_MAX) {
      const rows = indices.subarray(from, Math.min(from + BATCH_MAX, indices.length));
      const size = { batchSize: rows.length, threads };
      const sized = sessions.get(rows.length) ?? (await openFor(model, data, size));
      sessions.set(rows.length, sized);
      const outputs = await run(sized, data, rows);
      for (const [i, row] of rows.entries()) {
        metrics.add(outputs.subarray(i * width, (i + 1) * width), data.labels[row]!);
      }
      onProgress?.(from + rows.length, indices.length);
    }
  } finally {
    for (const { session } of sessions.values()) await session.release();
  }
  return metrics.report();
}

const scaled = (model: Model) => (model.graph.inputs[0]?.dtype === 'float32' ? BYTE_SCALE : 1);

/** A graph for batches of one size. */
interface Sized extends ForwardGraph {
  readonly session: InferenceSession;
}

async function openFor(
  model: Model,
  data: LabelledImages,
  { batchSize, threads }: { readonly batchSize: number; readonly threads: number },
): Promise<Sized> {
  const form = { dtype: 'uint8', example: data.shape, scale: scaled(model) } as const;
  const graph = buildForwardGraph({ model, data: form, batchSize });
  return { ...graph, session: await createSession(graph.model, threads) };
}

async function run({ session, input, output }: Sized, data: LabelledImages, rows: Int32Array) {
  const { Tensor } = await loadOrt();
  const size = elementCount(data.shape);
  const bytes = new Uint8Array(rows.length * size);
  for (const [i, row] of rows.entries()) {
    bytes.set(data.images.subarray(row * size, (row + 1) * size), i * size);
  }
  const batch = new Tensor('uint8', bytes, [rows.length, ...data.shape]);
  const results = await session.run({ [input]: batch });
  return results[output]!.data as Float32Array;
}

function headOf(model: Model, data: LabelledImages, wanted: ReportOptions['head']): Head {
  const shape = outputShape(model, [1, ...data.shape]);
  const width = elementCount(shape.slice(1));
  const classes = data.labels.reduce((most, label) => Math.max(most, label), 0) + 1;
  const last = lastOperator(model);
  if (wanted === 'numbers' || (wanted === 'auto' && width === 1 && classes > 2)) {
    if (width === 1) return { kind: 'number' };
    throw mismatch(`it has ${width} outputs of shape [${shape.slice(1)}], and numbers take one`);
  }
  if (width === 1 && classes <= 2) return { kind: 'binary', probabilities: last === 'Sigmoid' };
  if (width < classes) {
    throw mismatch(`it has ${width} outputs, and the data have labels up to ${classes - 1}`);
  }
  if (shape.length > 2 && shape[1] !== width && shape.at(-1) !== width) {
    throw mismatch(`its output has the shape [${shape.slice(1)}], and each example has one label`);
  }
  return { kind: 'classes', classes: width, probabilities: last === 'Softmax' };
}

const mismatch = (what: string) =>
  new ProtocolError('data-mismatch', `model and data do not fit: ${what}`);

/** The operator that makes the output. */
function lastOperator({ graph }: Model): string | undefined {
  const [output] = graph.outputs;
  return graph.nodes.find(({ outputs }) => outputs[0] === output?.name)?.op;
}
