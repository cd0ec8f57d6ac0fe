import type { EpochPlan } from '@starling/autodiff';
import { assert, ProtocolError, utf8 } from '@starling/core';
import { deriveSecret, keystreamFrom, Secret } from '@starling/crypto';
import { gaussianBytes, gaussianNoise, poissonSample } from '@starling/privacy';
import type { ExampleNoise } from '@starling/rounds';
import { type Batches, examplesAsTensors, type ResidentParts, type Stretch } from './batches.ts';

/** Noise of all steps of one run is in memory at once: so much of it, or that of one step. */
const NOISE_BYTES_MAX = 64 * 2 ** 20;
const KEY_BYTES = 32;

export interface SampledParts extends ResidentParts {
  /** By `planSamples`. */
  readonly plan: EpochPlan;
  /** Weights that are trained. */
  readonly parameters: number;
  readonly noise: ExampleNoise;
}

/**
 * Steps of local DP-SGD: all examples stay in memory, each step draws each of them on its own. What
 * is drawn and the noise are a function of the training's secret key and the number of the step, so
 * that a training goes on anywhere. Who knew a sample could tell more of those in it than is
 * counted: the seed, which is no secret, decides nothing of it.
 */
export async function sampledBatches(parts: SampledParts): Promise<Batches> {
  const { info, examples, plan, form, parameters } = parts;
  const { inputs, targets } = examples;
  const tensors = await examplesAsTensors(info, examples, form);
  const stepsMax = Math.max(1, Math.floor(NOISE_BYTES_MAX / (4 * parameters)));
  return {
    bytes: inputs.byteLength + (targets?.byteLength ?? 0),
    read(_seed, from, key) {
      assert(key?.length === KEY_BYTES, 'a training with noise takes a key of 32 bytes');
      let step = from;
      return {
        async next(most) {
          const steps = Math.min(most, stepsMax, plan.steps - step);
          const drawn = drawnSteps(parts, key, { from: step, to: step + steps });
          step += steps;
          return { steps, ...tensors, ...drawn };
        },
      };
    },
  };
}

/** Probability with which a step draws one of so many examples. */
export function samplingRate({ sampled }: EpochPlan, examples: number): number {
  assert(sampled !== undefined, 'the plan draws no samples');
  return sampled / examples;
}

function drawnSteps(
  { plan, indices, parameters, noise }: SampledParts,
  key: Uint8Array,
  { from, to }: { readonly from: number; readonly to: number },
): Required<Pick<Stretch, 'order' | 'sampled'>> {
  const secret = new Secret(key);
  const streamOf = (purpose: string, bytesPerStep: number) =>
    keystreamFrom(
      deriveSecret(secret, utf8(`starling/example-noise/${purpose}`)),
      from * bytesPerStep,
    );
  const samples = streamOf('sample', 4 * indices.length);
  const normal = streamOf('noise', gaussianBytes(parameters));
  const rate = samplingRate(plan, indices.length);
  const deviation = noise.clippingNorm * noise.noiseMultiplier;
  const order = new Int32Array((to - from) * plan.accumulation);
  const counts = new BigInt64Array(to - from);
  const all = new Float32Array((to - from) * parameters);
  for (let step = 0; step < to - from; step++) {
    const drawn = poissonSample(indices.length, rate, samples);
    // One in e^70 samples has no room, and loses its last examples.
    const kept = drawn.subarray(0, plan.accumulation).map((place) => indices[place]!);
    order.set(kept, step * plan.accumulation);
    counts[step] = BigInt(kept.length);
    all.set(gaussianNoise(parameters, deviation, normal), step * parameters);
  }
  return { order, sampled: { counts, noise: all } };
}

/** @throws ProtocolError `privacy` where a job cannot hide single examples */
export function checkExampleNoise(patience: number, isStreamed: boolean): void {
  const way = 'raise resources.trainer.memory, or give a smaller set';
  const fault =
    patience > 0
      ? 'training.patience goes by validation examples, which no noise hides'
      : isStreamed
        ? `each step draws from the whole set, which does not fit in memory: ${way}`
        : undefined;
  if (fault === undefined) return;
  throw new ProtocolError('privacy', `policy.exampleNoise cannot be kept in this job: ${fault}`);
}
