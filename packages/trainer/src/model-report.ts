import { buildForwardGraph, type ForwardGraph, outputShape } from '@starling/autodiff';
import { ProtocolError } from '@starling/core';
import { elementCount, type Model, readModel, selectOutput } from '@starling/onnx';
import type { InferenceSession } from 'onnxruntime-node';
import { pickExamples } from './data/example-set.ts';
import type { DataSource, Examples, SourceInfo } from './data/source.ts';
import { SPLIT_SEED, Split } from './data/split.ts';
import { inputTensor } from './inputs.ts';
import { createMetrics, type EvaluationReport, type Head, type Metrics } from './metrics.ts';
import { createSession } from './ort.ts';

/** How outputs are read: `auto` goes by how many there are, and by what the data ask for. */
export const HEAD_KINDS = ['auto', 'classes', 'numbers'] as const;
/** Which examples count: those on which this machine trains, those that validate, or all. */
export const REPORT_SPLITS = ['all', 'validation', 'training'] as const;

export interface ReportOptions {
  /** Which output of a model with several is scored. */
  readonly output?: string | undefined;
  readonly model: Uint8Array;
  readonly source: DataSource;
  readonly head: (typeof HEAD_KINDS)[number];
  /** All unless told. */
  readonly split?: (typeof REPORT_SPLITS)[number];
  readonly threads?: number;
  readonly onProgress?: (done: number, all: number) => void;
}

const BATCH_MAX = 256;

/**
 * Scores a model with the weights in its file on local data, in this process, a batch in memory at
 * a time. Of a sequence every place counts as an example, of several numbers each.
 * @throws ProtocolError when model and data do not fit together, saying which shapes differ
 */
export async function reportModel(options: ReportOptions): Promise<EvaluationReport> {
  const { source, onProgress, threads = 1, split = 'all' } = options;
  const { info } = source;
  const read = readModel(options.model);
  const model = options.output === undefined ? read : selectOutput(read, options.output);
  const reading = readingOf(model, info, options.head);
  const metrics = createMetrics(reading.head);
  const parts = split === 'all' ? undefined : new Split(info.count, { seed: SPLIT_SEED });
  const counts = (index: number) =>
    parts === undefined || parts.validates(index) === (split === 'validation');
  const sessions = new Map<number, Sized>();
  try {
    for (let from = 0; from < info.count; from += BATCH_MAX) {
      const block = await source.read(from, Math.min(BATCH_MAX, info.count - from));
      const rows = Int32Array.from({ length: block.count }, (_, i) => i);
      const wanted = rows.filter((i) => counts(from + i));
      if (wanted.length > 0) {
        const examples = pickExamples(info, block, wanted);
        const size = { batchSize: wanted.length, threads };
        const sized = sessions.get(wanted.length) ?? (await openFor(model, info, size));
        sessions.set(wanted.length, sized);
        score(metrics, reading, await run(sized, info, examples), examples);
      }
      onProgress?.(from + block.count, info.count);
    }
  } finally {
    for (const { session } of sessions.values()) await session.release();
  }
  return metrics.report();
}

/** A graph for batches of one size. */
interface Sized extends ForwardGraph {
  readonly session: InferenceSession;
}

async function openFor(
  model: Model,
  { elements, shape: example }: SourceInfo,
  { batchSize, threads }: { readonly batchSize: number; readonly threads: number },
): Promise<Sized> {
  const scale = elements.dtype === 'uint8' ? elements.scale : 1;
  const data = { dtype: elements.dtype, example, scale };
  const graph = buildForwardGraph({ model, data, batchSize });
  return { ...graph, session: await createSession(graph.model, threads) };
}

async function run({ session, input, output }: Sized, info: SourceInfo, examples: Examples) {
  const results = await session.run({ [input]: await inputTensor(info, examples) });
  return results[output]!.data as Float32Array;
}

/** How a model's outputs answer the data's targets. */
interface Reading {
  readonly head: Head;
  /** Outputs of one answer. */
  readonly width: number;
  /** Answers for one example, and which of its targets they are for. */
  readonly answers: number;
  readonly targetAt: (answer: number) => number;
  /** Targets of one example. */
  readonly targets: number;
}

function score(metrics: Metrics, reading: Reading, outputs: Float32Array, examples: Examples) {
  const { width, answers, targetAt, targets } = reading;
  for (let i = 0; i < examples.count * answers; i++) {
    const [row, answer] = [Math.floor(i / answers), i % answers];
    const target = examples.targets![row * targets + targetAt(answer)]!;
    metrics.add(outputs.subarray(i * width, (i + 1) * width), target);
  }
}

function readingOf(model: Model, info: SourceInfo, wanted: ReportOptions['head']): Reading {
  const { target } = info;
  const shape = outputShape(model, [1, ...info.shape]).slice(1);
  const outputs = elementCount(shape);
  const last = lastOperator(model);
  switch (target.kind) {
    case 'none':
      throw mismatch('the data have nothing to compare its answers with');
    case 'numbers':
      return numbersOf(target.width, outputs, shape);
    case 'sequence': {
      const classes = shape.at(-1) ?? 1;
      const answers = outputs / classes;
      if (classes < target.count) throw tooFew(classes, target.count);
      const head = { kind: 'classes', classes, probabilities: last === 'Softmax' } as const;
      const common = { head, width: classes, answers, targets: target.length };
      if (answers === target.length) return { ...common, targetAt: (answer) => answer };
      if (answers === 1) return { ...common, targetAt: () => target.length - 1 };
      throw mismatch(
        `its output has the shape [${shape}], and each example ${target.length} places`,
      );
    }
    case 'classes': {
      const isNumber = wanted === 'auto' && outputs === 1 && target.count > 2;
      if (wanted === 'numbers' || isNumber) return numbersOf(1, outputs, shape);
      return { ...classesOf(outputs, target.count, last), answers: 1, ...ONE_TARGET };
    }
  }
}

const ONE_TARGET = { targetAt: () => 0, targets: 1 } as const;

function classesOf(width: number, classes: number, last: string | undefined) {
  if (width === 1 && classes <= 2) {
    return { head: { kind: 'binary', probabilities: last === 'Sigmoid' }, width } as const;
  }
  if (width < classes) throw tooFew(width, classes);
  const probabilities = last === 'Softmax';
  return { head: { kind: 'classes', classes: width, probabilities }, width } as const;
}

function numbersOf(wanted: number, outputs: number, shape: readonly number[]): Reading {
  if (outputs !== wanted) {
    const numbers = wanted === 1 ? 'one number' : `${wanted} numbers`;
    throw mismatch(
      `it has ${outputs} outputs of shape [${shape}], and the data ask for ${numbers}`,
    );
  }
  const targetAt = (answer: number) => answer;
  return { head: { kind: 'number' }, width: 1, answers: wanted, targets: wanted, targetAt };
}

const tooFew = (outputs: number, classes: number) =>
  mismatch(`it has ${outputs} outputs, and the data have labels up to ${classes - 1}`);

const mismatch = (what: string) =>
  new ProtocolError('data-mismatch', `model and data do not fit: ${what}`);

/** The operator that makes the output. */
function lastOperator({ graph }: Model): string | undefined {
  const [output] = graph.outputs;
  return graph.nodes.find(({ outputs }) => outputs[0] === output?.name)?.op;
}
