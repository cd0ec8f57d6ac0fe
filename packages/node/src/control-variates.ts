import type { PeerId } from '@starling/core';
import type { Job, Statement } from '@starling/protocol-rounds';
import { type Chain, roundIdOf } from '@starling/rounds';
import { fromBitmap } from '@starling/secagg';
import type { JobJournal } from './job-journal.ts';
import type { OwnVectors } from './own-vectors.ts';

export interface ControlVariatesParts {
  readonly job: Job;
  readonly self: PeerId;
  readonly own: OwnVectors;
  readonly journal: JobJournal;
}

/**
 * Rounds before the one under way of which every variate is kept, and the one that counts before
 * them: the chain may still roll back to there.
 */
const ROUNDS_KEPT = 3;

/**
 * SCAFFOLD's cᵢ of this peer in one job. Each update leaves the cᵢ⁺ that goes with it on disk,
 * before the update can leave; which of them counts is read off the chain. So a variate takes
 * effect with the certificate that shows its very update, an update that was burnt or left out has
 * none, and a chain that rolls back takes its variates with it.
 */
export class ControlVariates {
  readonly #parts: ControlVariatesParts;

  constructor(parts: ControlVariatesParts) {
    this.#parts = parts;
  }

  /** cᵢ at the end of `chain`; undefined, which counts as 0, where none is known. */
  async of(chain: Chain): Promise<Float32Array | undefined> {
    const key = await this.#counted(chain);
    return key === undefined ? undefined : this.#parts.own.get(key);
  }

  /** Keeps the cᵢ⁺ of an update to what comes after `chain`; on disk when it resolves. */
  async keep(update: string, variate: Float32Array, chain: Chain): Promise<void> {
    const { own } = this.#parts;
    await own.put(keyOf(update), variate);
    const oldest = chain.length + 1 - ROUNDS_KEPT;
    const counted = await this.#counted(chain.slice(0, Math.max(0, oldest - 1)));
    for (const key of own.keys()) {
      if (isVariate(key) && roundIn(key) < oldest && key !== counted) await own.delete(key);
    }
  }

  /** The newest variate whose update stands in the chain. */
  async #counted(chain: Chain): Promise<string | undefined> {
    const keys = this.#parts.own.keys().filter(isVariate);
    for (const key of keys.toSorted((a, b) => roundIn(b) - roundIn(a))) {
      const statement = chain[roundIn(key) - 1]?.statement;
      if (statement !== undefined && (await this.#holds(statement, key))) return key;
    }
    return undefined;
  }

  /** Whether the certified sum has the update of this variate in it. */
  async #holds(statement: Statement, key: string): Promise<boolean> {
    const { job, self, journal } = this.#parts;
    const { roster, survivors, parent, round, restarts, attempt } = statement;
    const member = roster.indexOf(self);
    if (!fromBitmap(survivors, roster.length)?.includes(member)) return false;
    const roundId = roundIdOf(job.id, parent, round, restarts);
    const update = await journal.joinedWith(roundId, { restarts, attempt });
    return update !== undefined && keyOf(update) === key;
  }
}

const PREFIX = 'control/';
const keyOf = (update: string): string => `${PREFIX}${update}`;
const isVariate = (key: string): boolean => key.startsWith(PREFIX);
/** Names of updates begin with their round. */
const roundIn = (key: string): number => Number.parseInt(key.slice(PREFIX.length), 10);
