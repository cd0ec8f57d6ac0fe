import { ConfigError, ProtocolError } from '@starling/core';
import type { PreparedJob, Trainer } from '@starling/rounds';
import { NO_FAULTS, type SimState, simulate } from '@starling/sim';
import type { LabRun } from './lab-run.ts';
import { trainClient } from './plain-engine.ts';

export interface SecureHooks {
  /** Told of every certified state; `stop` ends the run. */
  readonly onState: (result: SimState) => Promise<'stop' | undefined>;
  /** Sees the ring words of a client before they are masked. */
  readonly onInput?: (client: number, round: number, words: Uint32Array) => void;
}

/**
 * A whole run as a simulated swarm: every client is a peer with the real host loop, and every round
 * the whole secure aggregation, on a virtual clock that stands still while a client trains.
 * @throws ConfigError `engine` on what only the plain engine does
 * @throws ProtocolError `secure` when the simulator's checkers saw a rule broken
 */
export async function secureRun(run: LabRun, model: Uint8Array, hooks: SecureHooks): Promise<void> {
  checkPlainOnly(run);
  const { settings, seed, manifest } = run;
  const queue = new Queue();
  const report = await simulate({
    ...{ peers: settings.clients, dim: run.pool.initial.length, seed },
    ...{ rounds: manifest.stop.rounds, dropout: 0, byzantine: 0, faults: NO_FAULTS },
    job: { manifest, model, trainer: (client) => trainerOf(run, client, queue), ...hooks },
    ...(hooks.onInput && { onInput: hooks.onInput }),
    timeLimitMs: Number.POSITIVE_INFINITY,
  });
  const [violation] = report.violations;
  if (violation !== undefined) throw new ProtocolError('secure', violation);
}

/** Attackers of updates speak to each other before any of them quantises; peers here do not. */
function checkPlainOnly({ settings }: LabRun): void {
  const { attack, stragglers } = settings;
  const hint = 'Choose engine plain';
  if (attack !== undefined && attack.kind !== 'label-flip') {
    throw new ConfigError('engine', `attack ${attack.kind} is not in the secure engine`, hint);
  }
  if (stragglers?.partial === 'drop') {
    throw new ConfigError('engine', 'stragglers are not dropped in the secure engine', hint);
  }
}

/** One after another in the order of asking, so that a run is a function of its seed. */
class Queue {
  #last: Promise<unknown> = Promise.resolve();

  add<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#last.then(work, work);
    this.#last = next;
    return next;
  }
}

/** A client's trainer: the same training that the plain engine would do, whatever seed is drawn. */
function trainerOf(run: LabRun, client: number, queue: Queue): Trainer {
  const { layout, initial } = run.pool;
  const prepared: PreparedJob = {
    ...{ layout, initial },
    train: (vector, _seed, context) => {
      const round = (context?.round ?? 0) + 1;
      return queue.add(() => trainClient(run, vector, round, client, context?.control));
    },
    // The test set is the judge here, as in the plain engine.
    evaluate: async () => ({ lossSum: 0, correct: 0, examples: 0 }),
    close: async () => {},
  };
  return {
    describe: async () => ({ layout, initial, warnings: [] }),
    prepare: async () => prepared,
  };
}
