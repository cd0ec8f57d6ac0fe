import {
  concatBytes,
  fromHex,
  type JobId,
  type PeerId,
  type RoundId,
  remembered,
  u32be,
  utf8,
} from '@starling/core';
import { hashHex, publicKeyOf } from '@starling/crypto';
import { type CertificateHash, ROUNDS_LABEL } from '@starling/protocol-rounds';

/**
 * A round is named by what came before it: nobody announces it, and two peers on the same
 * certificate cannot mean different rounds (design decision 9c).
 */
export function roundIdOf(
  jobId: JobId,
  parent: CertificateHash,
  round: number,
  restarts: number,
): RoundId {
  const name = `${jobId}/${parent}/${round}/${restarts}`;
  return knownIds(name, () => {
    const label = utf8(`${ROUNDS_LABEL}/round-id`);
    const place = concatBytes(u32be(round), u32be(restarts));
    return hashHex(label, fromHex(jobId), fromHex(parent), place) as RoundId;
  });
}
/** Every message is held against the ids of the round. */
const knownIds = remembered<RoundId>(1_024);

/**
 * Order in which JOINed peers may propose the roster of an attempt: by H(roundId ‖ attempt ‖ peer).
 */
export function proposerRank(roundId: RoundId, attempt: number, peer: PeerId): string {
  return knownRanks(`${roundId}/${attempt}/${peer}`, () =>
    hashHex(fromHex(roundId), u32be(attempt), publicKeyOf(peer)),
  );
}
/** Ranks are wanted after every JOIN, of everybody. */
const knownRanks = remembered<string>(4_096);

/** A peer's lot in a round, from 0 to 1, which nobody can foresee before the round's parent is. */
export function drawOf(roundId: RoundId, peer: PeerId): number {
  const label = utf8(`${ROUNDS_LABEL}/participation`);
  return (
    Number.parseInt(hashHex(label, fromHex(roundId), publicKeyOf(peer)).slice(0, 8), 16) / 2 ** 32
  );
}

/** One attempt of a round: `restarts` counts burnt updates, `attempt` rosters since then. */
export interface Slot {
  readonly restarts: number;
  readonly attempt: number;
}
export const slotKey = ({ restarts, attempt }: Slot): string => `${restarts}/${attempt}`;
export const parseSlot = (key: string): Slot => {
  const [restarts, attempt] = key.split('/').map(Number) as [number, number];
  return { restarts, attempt };
};
/** Most restarts of a round, and most attempts of a restart, that a message can name. */
export const SLOT_MAX = 1_000;
/** The next attempt, or the next restart when the attempts are used up. */
export const slotAfter = ({ restarts, attempt }: Slot): Slot =>
  attempt < SLOT_MAX ? { restarts, attempt: attempt + 1 } : { restarts: restarts + 1, attempt: 0 };
/** Later slots are greater. */
export const compareSlots = (a: Slot, b: Slot): number =>
  a.restarts - b.restarts || a.attempt - b.attempt;
