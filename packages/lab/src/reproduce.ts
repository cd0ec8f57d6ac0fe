import { initialVector, VectorSplit } from '@starling/autodiff';
import { jobFileOf } from '@starling/control';
import { ConfigError } from '@starling/core';
import { readModel } from '@starling/onnx';
import type { Manifest } from '@starling/protocol-rounds';
import { loadData } from './data/load.ts';
import { openRun } from './lab-run.ts';
import type { ResultLine, RoundLine } from './results.ts';
import { runExperiment } from './run-experiment.ts';
import { type Settings, settingsSchema } from './schema.ts';

/** A job that is over, and what came of it. */
export interface FinishedJob {
  readonly manifest: Manifest;
  /** The ONNX file that it was launched with. */
  readonly launched: Uint8Array;
  /** The certified model after the last of its rounds, in its ONNX file. */
  readonly certified: Uint8Array;
  readonly rounds: number;
  /** Peers in a round, about. */
  readonly participants: number;
}

/** What a manifest does not say: the data, and who had what of them. */
export interface ReproduceOptions {
  readonly data: unknown;
  readonly partition: unknown;
  /** As many as it takes for the job's participants unless told. */
  readonly clients?: number | undefined;
  readonly engine: Settings['engine'];
  readonly seed: number;
  /** Paths count from here. */
  readonly folder: string;
  readonly out: string;
  readonly threads?: number;
  readonly onLine?: (line: ResultLine) => void;
}

/** A model on the same test examples as the other. */
export interface Score {
  readonly accuracy: number;
  readonly loss: number;
}

export interface Reproduction {
  readonly settings: Settings;
  readonly rounds: readonly RoundLine[];
  readonly certified: Score;
  readonly again: Score;
}

/** Peers that a cell is cut for, where a job does not say (secagg spec, cells). */
const CELL_PEERS = 64;

/** The experiment that a finished job's manifest describes. @throws ConfigError naming the key */
export function settingsOf(job: FinishedJob, options: ReproduceOptions): Settings {
  const { manifest, rounds, participants } = job;
  const { loss, training, aggregation, privacy } = jobFileOf(manifest, 'launched.onnx');
  const { participation } = manifest.admission;
  const clients = options.clients ?? Math.max(3, Math.round(participants / participation));
  const inRound = Math.max(1, Math.round(clients * participation));
  const { cellSize } = manifest.aggregation;
  const parsed = settingsSchema.safeParse({
    name: 'reproduced',
    ...{ data: options.data, partition: options.partition, engine: options.engine },
    ...{ clients, participation, cells: cellsOf(inRound, cellSize) },
    ...{ model: 'launched.onnx', loss, training, aggregation, privacy },
    stop: { rounds },
  });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ConfigError(issue!.path.join('.') || 'experiment', issue!.message);
}

/** A roster of more than twice a cell's size is cut. */
function cellsOf(peers: number, cellSize: number): number {
  const size = cellSize === 0 ? CELL_PEERS : cellSize;
  return peers > 2 * size ? Math.ceil(peers / size) : 1;
}

/**
 * Runs a finished job's manifest again with virtual clients, and scores both models on the same
 * test examples. Nobody's data are those of the peers: equal bits are not to be expected.
 * @throws ConfigError where the manifest cannot be run with these data
 */
export async function reproduce(
  job: FinishedJob,
  options: ReproduceOptions,
): Promise<Reproduction> {
  const settings = settingsOf(job, options);
  const { seed, folder, out, threads = 1, onLine } = options;
  const { lines } = await runExperiment({
    experiment: { name: settings.name, groups: [{ choices: {}, settings }], seeds: [seed] },
    ...{ folder, out, threads, ...(onLine && { onLine }) },
    readModel: async () => job.launched,
  });
  const rounds = lines.filter((line): line is RoundLine => line.kind === 'round');
  const end = lines.find((line) => line.kind === 'end');
  if (end?.end === 'failed') throw new ConfigError('experiment', end.text);
  const { accuracy, loss } = rounds.at(-1)!;
  const data = await loadData(settings.data, folder);
  const run = await openRun({ settings, seed, data, model: job.launched, threads });
  try {
    const score = await run.test.score(vectorOf(job));
    const { correct, examples, lossSum } = score;
    const certified = { accuracy: correct / examples, loss: lossSum / examples };
    return { settings, rounds, certified, again: { accuracy: accuracy!, loss: loss! } };
  } finally {
    await run.close();
  }
}

/** The weights of the job's vector, as they are in the certified file. */
function vectorOf({ manifest: { training }, certified }: FinishedJob): Float32Array {
  const model = readModel(certified);
  return new VectorSplit(model, training).shared(initialVector(model, training.frozen));
}
