import { type Augmentation, createGenerator, zooModel } from '@starling/autodiff';
import { errorMessage } from '@starling/core';
import { writeModel } from '@starling/onnx';
import { DEFAULT_TRAINING } from '@starling/protocol-rounds';
import type { TrainerJob } from '@starling/rounds';
import { byteImages, memorySource } from './data/example-set.ts';
import type { DataSource } from './data/source.ts';
import { ON_CPU, type Place } from './device.ts';
import { sumsInHalf } from './device-sums.ts';
import { openLocalJob } from './local-job.ts';

/** What became of a short training somewhere, beside the same on the CPU in float32. */
export type DeviceTrial =
  | {
      readonly ok: true;
      readonly msPerStep: { readonly cpu: number; readonly device: number };
      /** In float16: whether the device adds up a product's terms in it too. */
      readonly sumsInHalf?: boolean;
    }
  | { readonly ok: false; readonly reason: string };

export interface TrialOptions {
  readonly place: Place;
  readonly job: TrainerJob;
  /** Closed by the trial. */
  readonly source: DataSource;
  readonly augment?: Augmentation | undefined;
  readonly threads: number;
}

const STEPS = 3;
const SEED = 1;
/**
 * GPUs add in another order, and batch normalisation makes much of it; a broken one is far off, and
 * so is float16 where a job does not bear it.
 */
const LOSS_TOLERANCE = 0.01;

/**
 * Trains a job for a few minibatches on a device and on the CPU. It must run in a process of its
 * own: a WebGPU that could not be had once cannot be had again, and some faults abort. In float16
 * the loss is held against that of float32.
 */
export async function tryDevice(options: TrialOptions): Promise<DeviceTrial> {
  const { place, job, threads, augment, source } = options;
  const training = { ...job.training, epochs: 1 };
  const few = await firstExamples(source, STEPS * job.training.batchSize);
  await source.close();
  const short = { source: few, threads, augment, job: { ...job, training } };
  const measure = async (on: Place) => {
    const opened = await openLocalJob({ ...short, place: on });
    const control = job.control
      ? { control: new Float32Array(opened.layout.parameters) }
      : undefined;
    const context = { round: 0, rounds: 1, ...control };
    const run = () => opened.train(opened.initial, SEED, context);
    try {
      // The first run compiles shaders.
      await run();
      const started = performance.now();
      const { trainingLoss, localSteps } = await run();
      return { loss: trainingLoss, ms: (performance.now() - started) / localSteps };
    } finally {
      await opened.close();
    }
  };
  try {
    const there = await measure(place);
    const here = await measure(ON_CPU);
    const error = Math.abs(there.loss - here.loss) / Math.max(Math.abs(here.loss), 1e-3);
    if (error <= LOSS_TOLERANCE) {
      const msPerStep = { cpu: here.ms, device: there.ms };
      if (place.precision === 'float32') return { ok: true, msPerStep };
      return { ok: true, msPerStep, sumsInHalf: await sumsInHalf(place.device, threads) };
    }
    const what = `it computes a loss of ${there.loss} where the CPU has ${here.loss}`;
    return { ok: false, reason: what };
  } catch (error) {
    return { ok: false, reason: errorMessage(error) };
  }
}

/** The first examples in memory, so many that after the split about `count` train. */
async function firstExamples(source: DataSource, count: number): Promise<DataSource> {
  const wanted = Math.min(source.info.count, Math.ceil((count * 10) / 9) + 2);
  const examples = await source.read(0, wanted);
  return memorySource({ info: { ...source.info, count: examples.count }, examples });
}

const PIXELS = 784;
const CLASSES = 10;
const EXAMPLES = 64;

/** A small job of our own, to find out whether a device is there and computes right. */
export function trialJob(): Pick<TrialOptions, 'job' | 'source'> {
  const generator = createGenerator(SEED);
  const draw = (count: number, below: number) =>
    Uint8Array.from({ length: count }, () => generator.below(below));
  const images = draw(EXAMPLES * PIXELS, 256);
  return {
    job: {
      modelHash: ''.padEnd(64, '0') as TrainerJob['modelHash'],
      model: writeModel(zooModel('mlp', SEED)),
      loss: 'softmax-cross-entropy',
      training: DEFAULT_TRAINING,
      clippingNorm: 10,
      data: {
        ...{ task: 'trial', input: { dtype: 'float32', shape: [PIXELS] } },
        ...{ target: 'classes', classes: CLASSES },
      },
      dataset: 'trial',
    },
    source: memorySource(
      byteImages({
        ...{ shape: [PIXELS], pixels: images, classes: CLASSES },
        labels: draw(EXAMPLES, CLASSES),
      }),
    ),
  };
}
