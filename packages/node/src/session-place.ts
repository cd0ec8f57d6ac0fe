import { type JobId, type RoundId, toHex } from '@starling/core';
import { type Slot, slotKey } from '@starling/rounds';
import type { ChunkSum, MaskTerm, SessionConfig } from '@starling/secagg';
import type { PlainTerm } from './compute.ts';

/** Names of one attempt's vectors; the round's id leads, so that one release forgets them all. */
export class Place {
  readonly roundId: RoundId;
  readonly slot: Slot;
  readonly config: SessionConfig;
  readonly #prefix: string;

  constructor(job: JobId, roundId: RoundId, slot: Slot, config: SessionConfig) {
    this.roundId = roundId;
    this.slot = slot;
    this.config = config;
    this.#prefix = `${job}/${roundId}/${slotKey(slot)}`;
  }

  chunk = (chunk: number, member: number): string => `${this.#prefix}/chunk/${chunk}/${member}`;
  sum = ({ chunk, hash }: ChunkSum): string => `${this.#prefix}/sum/${chunk}/${toHex(hash)}`;
  plain = ({ chunk, hash }: ChunkSum): string => `${this.#prefix}/plain/${chunk}/${toHex(hash)}`;
  cell = (cell: number): string => `${this.#prefix}/cell/${cell}`;
  get result(): string {
    return `${this.#prefix}/result`;
  }
}

/** What a worker gets of the masks to remove or add. */
export const plain = (terms: readonly MaskTerm[]): readonly PlainTerm[] =>
  terms.map(({ seed, sign }) => ({ seed: seed.reveal(), sign }));
