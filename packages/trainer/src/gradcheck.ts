import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import {
  buildStepGraph,
  createGenerator,
  dropoutWords,
  type GradientClipping,
  type LossOptions,
  lossNamed,
  type OptimizerSettings,
  optimizerNamed,
  optimizerSettings,
  type StepGraph,
  WORDS_PER_DROPOUT,
} from '@starling/autodiff';
import { errorMessage, ProtocolError } from '@starling/core';
import { elementCount, type Model, readModel } from '@starling/onnx';
import type { Tensor } from 'onnxruntime-node';
import { type FileEntry, readCase, readFloats, readTensor } from './gradcheck-files.ts';
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

/** The part of `case.json` that may be known before the computation. */
interface Question {
  readonly loss: string;
  readonly lossOptions?: LossOptions;
  readonly optimizer: string;
  /** Numbers in place of the optimiser's defaults. */
  readonly optimizerOptions?: Partial<Omit<OptimizerSettings, 'optimizer'>>;
  readonly clipping?: Partial<GradientClipping>;
  /** Patterns of weights that are not trained. */
  readonly frozen?: readonly string[];
  readonly learningRate: number;
  readonly steps: number;
  readonly input: FileEntry;
  /** Absent where the model computes its loss from the input alone. */
  readonly target?: FileEntry;
}

interface Truth {
  readonly losses: readonly number[];
  readonly parameters: readonly {
    readonly name: string;
    readonly gradientOfFirstStep: FileEntry;
    readonly afterLastStep: FileEntry;
  }[];
  /** Running statistics. */
  readonly buffers?: readonly { readonly name: string; readonly afterLastStep: FileEntry }[];
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

/** From model, input and target alone. */
async function compute(dir: string): Promise<Computed> {
  const question: Question = await readCase(dir);
  const { learningRate, steps, input, target } = question;
  const model = readModel(await readFile(join(dir, 'model.onnx')));
  const step = stepGraphOf(model, question);
  const { Tensor } = await loadOrt();
  const words = dropoutWords(1, (step.words?.count ?? 0) / WORDS_PER_DROPOUT, createGenerator(0));
  const feeds: Record<string, Tensor> = {
    [step.batch]: await readTensor(dir, input, dtypeOf(step, step.batch)),
    [step.learningRate]: new Tensor('float32', Float32Array.of(learningRate), []),
    ...(step.words && { [step.words.input]: new Tensor('int32', words, [step.words.count]) }),
  };
  if (step.target !== undefined && target !== undefined) {
    feeds[step.target] = await readTensor(dir, target, dtypeOf(step, step.target));
  }
  const values = new Map<string, Float32Array>();
  for (const { name, input, states, shape } of step.parameters) {
    values.set(input, model.graph.initializers.get(name)!.data as Float32Array);
    for (const state of states) values.set(state.input, new Float32Array(elementCount(shape)));
  }
  for (const { name, input } of step.buffers) {
    values.set(input, model.graph.initializers.get(name)!.data as Float32Array);
  }
  return trainSteps(step, { feeds, values, steps });
}

const dtypeOf = ({ model }: StepGraph, input: string) =>
  model.graph.inputs.find(({ name }) => name === input)!.dtype;

function stepGraphOf(model: Model, question: Question): StepGraph {
  const { loss, lossOptions, optimizer, clipping, frozen, input, target } = question;
  const [batchSize = 1, ...example] = input.shape;
  return buildStepGraph({
    ...{ model, loss: lossNamed(loss), lossOptions, batchSize, example },
    ...(target && { target: target.shape.slice(1) }),
    optimizer: optimizerSettings(optimizerNamed(optimizer), question.optimizerOptions),
    ...(clipping && { clipping: { norm: 0, value: 0, ...clipping } }),
    ...(frozen && { frozen }),
  });
}

interface TrainSteps {
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** Parameters, buffers and states by the names of their inputs. */
  readonly values: ReadonlyMap<string, Float32Array>;
  readonly steps: number;
}

async function trainSteps(
  step: StepGraph,
  { feeds, values, steps }: TrainSteps,
): Promise<Computed> {
  const { Tensor } = await loadOrt();
  const session = await createSession(step.model, 1);
  const carried = [
    ...step.parameters,
    ...step.buffers,
    ...step.parameters.flatMap(({ states, shape }) => states.map((state) => ({ ...state, shape }))),
  ];
  const losses: number[] = [];
  const gradients = new Map<string, Float32Array>();
  const current = new Map(values);
  for (let i = 0; i < steps; i++) {
    const all: Record<string, Tensor> = { ...feeds };
    for (const { input, shape } of carried) {
      all[input] = new Tensor('float32', current.get(input)!, shape);
    }
    if (step.step !== undefined) {
      all[step.step] = new Tensor('float32', Float32Array.of(i + 1), []);
    }
    const results = await session.run(all);
    const floats = (name: string) => results[name]!.data as Float32Array;
    losses.push(scalarOf(results, step.loss));
    for (const { name, gradient } of i === 0 ? step.parameters : []) {
      gradients.set(name, floats(gradient));
    }
    for (const { input, updated } of carried) current.set(input, floats(updated));
  }
  await session.release();
  const state = [...step.parameters, ...step.buffers];
  const after = new Map(state.map(({ name, input }) => [name, current.get(input)!] as const));
  return { losses, gradients, parameters: after };
}

/** Reads the recorded truth, and only now. */
async function compare(dir: string, computed: Computed): Promise<GradcheckErrors> {
  const truth: Truth = await readCase(dir);
  const part = async (
    made: ReadonlyMap<string, Float32Array>,
    recorded: readonly { readonly name: string; readonly file: FileEntry }[],
  ) => {
    let worst = 0;
    for (const { name, file } of recorded) {
      const ours = made.get(name);
      if (ours === undefined) throw new ProtocolError('untrained', `"${name}" is not trained`);
      worst = larger(worst, relativeError(ours, await readFloats(dir, file)));
    }
    return worst;
  };
  const gradients = truth.parameters.map(({ name, gradientOfFirstStep }) => {
    return { name, file: gradientOfFirstStep };
  });
  const after = [...truth.parameters, ...(truth.buffers ?? [])].map(({ name, afterLastStep }) => {
    return { name, file: afterLastStep };
  });
  return {
    losses: relativeError(computed.losses, truth.losses),
    gradients: await part(computed.gradients, gradients),
    parameters: await part(computed.parameters, after),
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
