import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { buildStepGraph, lossNamed, type StepGraph } from '@starling/autodiff';
import { errorMessage, ProtocolError } from '@starling/core';
import { elementCount, readModel } from '@starling/onnx';
import type { Tensor } from 'onnxruntime-node';
import { createSession, loadOrt, scalarOf } from './ort.ts';

export interface GradcheckErrors {
  readonly losses: number;
  readonly gradients: number;
  readonly parameters: number;
}

export interface GradcheckResult {
  readonly name: string;
  readonly ok: boolean;
  /** Largest |a − b| / max(|b|, 1e-3); null when the case could not be computed. */
  readonly maxRelativeError: GradcheckErrors | null;
  readonly error?: string;
}

/** Bounds of a passing case. */
const BOUNDS: GradcheckErrors = { losses: 1e-3, gradients: 1e-2, parameters: 1e-2 };
const FLOOR = 1e-3;

interface FileEntry {
  readonly file: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** The part of `case.json` that may be known before the computation. */
interface Question {
  readonly loss: string;
  readonly optimizer: string;
  readonly learningRate: number;
  readonly steps: number;
  readonly input: FileEntry;
  readonly target: FileEntry;
}

interface Truth {
  readonly losses: readonly number[];
  readonly parameters: readonly {
    readonly name: string;
    readonly gradientOfFirstStep: FileEntry;
    readonly afterLastStep: FileEntry;
  }[];
}

interface Computed {
  readonly losses: readonly number[];
  readonly gradients: ReadonlyMap<string, Float32Array>;
  readonly parameters: ReadonlyMap<string, Float32Array>;
}

/**
 * Trains each recorded case and compares with what was recorded. Never throws: a case that cannot
 * be read or computed fails with its error.
 */
export async function gradcheck(dirs: readonly string[]): Promise<readonly GradcheckResult[]> {
  const results: GradcheckResult[] = [];
  for (const dir of dirs) results.push(await checkCase(dir));
  return results;
}

async function checkCase(dir: string): Promise<GradcheckResult> {
  const name = basename(resolve(dir));
  try {
    const computed = await compute(dir);
    const maxRelativeError = await compare(dir, computed);
    const ok = (['losses', 'gradients', 'parameters'] as const).every(
      // Written so that NaN fails.
      (part) => maxRelativeError[part] <= BOUNDS[part],
    );
    return { name, ok, maxRelativeError };
  } catch (error) {
    return { name, ok: false, maxRelativeError: null, error: errorMessage(error) };
  }
}

async function readCase<T>(dir: string): Promise<T> {
  return JSON.parse(await readFile(join(dir, 'case.json'), 'utf8'));
}

/** From model, input and target alone. */
async function compute(dir: string): Promise<Computed> {
  const { loss, optimizer, learningRate, steps, input, target }: Question = await readCase(dir);
  if (optimizer !== 'sgd') throw new ProtocolError('unsupported', `optimizer ${optimizer}`);
  const model = readModel(await readFile(join(dir, 'model.onnx')));
  const [batchSize = 1, ...example] = input.shape;
  const step = buildStepGraph({ model, loss: lossNamed(loss), batchSize, example });
  const { Tensor } = await loadOrt();
  const feeds = {
    [step.batch]: await readTensor(dir, input),
    [step.target]: await readTarget(dir, target, loss),
    [step.learningRate]: new Tensor('float32', Float32Array.of(learningRate), []),
  };
  const weights = new Map(
    step.parameters.map(({ name }) => {
      return [name, model.graph.initializers.get(name)!.data as Float32Array] as const;
    }),
  );
  return trainSteps(step, { feeds, weights, steps });
}

interface TrainSteps {
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly weights: ReadonlyMap<string, Float32Array>;
  readonly steps: number;
}

async function trainSteps(
  step: StepGraph,
  { feeds, weights, steps }: TrainSteps,
): Promise<Computed> {
  const { Tensor } = await loadOrt();
  const session = await createSession(step.model, 1);
  const losses: number[] = [];
  const gradients = new Map<string, Float32Array>();
  let current = weights;
  for (let i = 0; i < steps; i++) {
    const parameters = step.parameters.map(({ name, shape, input }) => {
      return [input, new Tensor('float32', current.get(name)!, shape)] as const;
    });
    const results = await session.run({ ...feeds, ...Object.fromEntries(parameters) });
    losses.push(scalarOf(results, step.loss));
    for (const { name, gradient } of i === 0 ? step.parameters : []) {
      gradients.set(name, results[gradient]!.data as Float32Array);
    }
    current = new Map(
      step.parameters.map(({ name, updated }) => [name, results[updated]!.data as Float32Array]),
    );
  }
  await session.release();
  return { losses, gradients, parameters: current };
}

/** Reads the recorded truth, and only now. */
async function compare(dir: string, computed: Computed): Promise<GradcheckErrors> {
  const truth: Truth = await readCase(dir);
  const part = async (
    made: ReadonlyMap<string, Float32Array>,
    pick: (parameter: Truth['parameters'][number]) => FileEntry,
  ) => {
    let worst = 0;
    for (const parameter of truth.parameters) {
      const ours = made.get(parameter.name);
      if (ours === undefined)
        throw new ProtocolError('untrained', `"${parameter.name}" is not trained`);
      worst = larger(worst, relativeError(ours, await readFloats(dir, pick(parameter))));
    }
    return worst;
  };
  return {
    losses: relativeError(computed.losses, truth.losses),
    gradients: await part(computed.gradients, ({ gradientOfFirstStep }) => gradientOfFirstStep),
    parameters: await part(computed.parameters, ({ afterLastStep }) => afterLastStep),
  };
}

/** Largest relative error; NaN when any element is. */
function relativeError(ours: ArrayLike<number>, recorded: ArrayLike<number>): number {
  if (ours.length !== recorded.length) {
    throw new ProtocolError('unequal', `${ours.length} values, ${recorded.length} recorded`);
  }
  let worst = 0;
  for (let i = 0; i < ours.length; i++) {
    const [a, b] = [ours[i]!, recorded[i]!];
    worst = larger(worst, Math.abs(a - b) / Math.max(Math.abs(b), FLOOR));
  }
  return worst;
}

const larger = (a: number, b: number) => (Number.isNaN(b) || b > a ? b : a);

async function readRaw(dir: string, { file, shape, dtype }: FileEntry): Promise<ArrayBuffer> {
  const bytes = await readFile(join(dir, basename(file)));
  const width = dtype === 'int64' || dtype === 'float64' ? 8 : 4;
  if (bytes.length !== elementCount(shape) * width) {
    throw new ProtocolError(
      'case-corrupt',
      `${file}: ${bytes.length} bytes for [${shape}] ${dtype}`,
    );
  }
  return new Uint8Array(bytes).buffer;
}

async function readFloats(dir: string, entry: FileEntry): Promise<Float32Array> {
  if (entry.dtype !== 'float32') throw new ProtocolError('case-corrupt', `${entry.file}: dtype`);
  return new Float32Array(await readRaw(dir, entry));
}

async function readTensor(dir: string, entry: FileEntry): Promise<Tensor> {
  const { Tensor } = await loadOrt();
  if (entry.dtype === 'int64') {
    return new Tensor('int64', new BigInt64Array(await readRaw(dir, entry)), entry.shape);
  }
  return new Tensor('float32', await readFloats(dir, entry), entry.shape);
}

/** Labels travel as int32 in our graphs. */
async function readTarget(dir: string, entry: FileEntry, loss: string): Promise<Tensor> {
  const { Tensor } = await loadOrt();
  if (loss !== 'softmax-cross-entropy') return readTensor(dir, entry);
  const raw = await readRaw(dir, entry);
  const labels =
    entry.dtype === 'int64' ? Int32Array.from(new BigInt64Array(raw), Number) : new Int32Array(raw);
  return new Tensor('int32', labels, entry.shape);
}
