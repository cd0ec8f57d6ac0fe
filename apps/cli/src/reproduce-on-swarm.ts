import type { JobView } from '@starling/control';
import { ConfigError } from '@starling/core';
import type { CertifiedModel } from './certified-model.ts';
import type { DaemonOptions } from './options.ts';

interface RoundScore {
  readonly loss: number | null;
  readonly accuracy: number | null;
}

export interface SwarmReproduction {
  /** Of the new job. */
  readonly job: string;
  readonly rounds: readonly {
    readonly round: number;
    readonly certified: RoundScore;
    readonly again: RoundScore | null;
  }[];
  /** Accuracy that the last round lacks of the first job's; null where there is none. */
  readonly missing: number | null;
}

export interface SwarmOptions {
  readonly daemon: DaemonOptions;
  readonly onRound: (done: number, all: number) => void;
}

/**
 * Launches a job's manifest once more, with as many rounds as it had, and waits until it is over:
 * on the data that the swarm's peers have now.
 * @throws ConfigError where the new job was cancelled, or cannot be launched
 */
export async function reproduceOnSwarm(
  { job, rounds }: CertifiedModel,
  launched: Uint8Array,
  { daemon, onRound }: SwarmOptions,
): Promise<SwarmReproduction> {
  const { clientOf } = await import('./client.ts');
  const { jobFileOf } = await import('@starling/control');
  const client = clientOf(daemon);
  const file = jobFileOf(job.manifest, 'launched.onnx');
  // What ended the first need not end this one: equal rounds are compared.
  const again = { ...file, stop: { rounds: rounds.length } };
  const { job: id } = await client.launch(again, launched);
  let view: JobView = await client.job(id);
  for await (const event of client.events(id)) {
    view = event.view ?? view;
    onRound(view.rounds.length, rounds.length);
    if (view.phase === 'cancelled') throw new ConfigError('job', `job ${id} was cancelled`);
    if (view.phase === 'finished') break;
  }
  return { job: id, ...compared(rounds, view.rounds) };
}

function compared(first: CertifiedModel['rounds'], second: JobView['rounds']) {
  const scores = ({ loss, accuracy }: RoundScore): RoundScore => ({ loss, accuracy });
  const rounds = first.map((round, i) => {
    const other = second[i];
    return { round: round.round, certified: scores(round), again: other ? scores(other) : null };
  });
  const last = rounds.at(-1);
  const [before, after] = [last?.certified.accuracy ?? null, last?.again?.accuracy ?? null];
  return { rounds, missing: before === null || after === null ? null : before - after };
}
