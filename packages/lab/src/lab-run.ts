import { permutation } from '@starling/autodiff';
import { ConfigError } from '@starling/core';
import { encodeState, initialState, type JobCodec } from '@starling/federation';
import type { Manifest } from '@starling/protocol-rounds';
import { codecOf } from '@starling/rounds';
import {
  type ClientPool,
  type ExampleSet,
  openClientPool,
  type VectorScorer,
} from '@starling/trainer';
import { backdoorTest, poisoned } from './attacks/data-attacks.ts';
import type { LabData } from './data/lab-data.ts';
import { labelsOf } from './data/load.ts';
import { labManifest, participantsOf, trainerJob, withNoise } from './job.ts';
import { Kept } from './kept.ts';
import { withFeatures } from './partitions/features.ts';
import { partition } from './partitions/partition.ts';
import { generatorFor } from './random.ts';
import type { Settings } from './schema.ts';

/** One run, ready: who has what, who attacks, and what trains and tests. */
export interface LabRun {
  readonly settings: Settings;
  readonly seed: number;
  readonly manifest: Manifest;
  readonly codec: JobCodec;
  readonly pool: ClientPool;
  /** Examples of each client. */
  readonly shares: readonly Int32Array[];
  readonly attackers: ReadonlySet<number>;
  readonly kept: Kept;
  /** Clients of one round. */
  readonly participants: number;
  readonly test: VectorScorer;
  /** Stamped images, with a backdoor alone. */
  readonly backdoor: VectorScorer | undefined;
  /** State of round 0, encoded. */
  readonly initial: Uint8Array;
  close(): Promise<void>;
}

export interface RunInput {
  readonly settings: Settings;
  readonly seed: number;
  readonly data: LabData;
  /** The forward ONNX model. */
  readonly model: Uint8Array;
  readonly threads: number;
}

/** @throws ConfigError naming the key of what does not fit together */
export async function openRun(input: RunInput): Promise<LabRun> {
  const { settings, seed, data, model, threads } = input;
  const manifest = labManifest(settings, data, model);
  const { partition: kind, clients, attack } = settings;
  const shares = partition({
    ...{ kind, clients, labels: labelsOf(data), ids: data.ids },
    generator: generatorFor('partition', seed),
  });
  const attackers = drawAttackers(settings, seed);
  const examples = examplesOf(input, shares, attackers);
  const pool = await openClientPool({ job: trainerJob(manifest, model), examples, threads });
  const { parameters, buffers } = pool.layout;
  const noisy = withNoise(manifest, settings, parameters);
  const codec = codecOf(noisy);
  if (codec.noise !== undefined && buffers > 0) {
    await pool.close();
    throw new ConfigError('privacy.mechanism', 'the model has buffers, which no noise would hide');
  }
  const state = initialState(pool.initial, parameters, codec.optimizer);
  return {
    ...{ settings, seed, manifest: noisy, codec, pool, shares, attackers },
    kept: new Kept(codec),
    participants: participantsOf(settings),
    test: await pool.scorer(data.test),
    backdoor:
      attack?.kind === 'replacement'
        ? await pool.scorer(backdoorTest(data.test, attack.label))
        : undefined,
    initial: encodeState(state),
    close: () => pool.close(),
  };
}

/** So many of all clients as the attack says, the same in every round. */
function drawAttackers({ attack, clients }: Settings, seed: number): ReadonlySet<number> {
  if (attack === undefined) return new Set();
  const drawn = permutation(clients, generatorFor('attackers', seed));
  return new Set(drawn.subarray(0, Math.round(attack.fraction * clients)));
}

/** The clients' examples as each client has them. */
function examplesOf(
  { settings, seed, data }: RunInput,
  shares: readonly Int32Array[],
  attackers: ReadonlySet<number>,
): ExampleSet {
  const { partition: kind, attack } = settings;
  const seen = kind.kind === 'feature' ? withFeatures(data.train, shares, kind, seed) : data.train;
  const theirs = [...attackers].map((client) => shares[client]!);
  return poisoned(seen, attack, theirs);
}
