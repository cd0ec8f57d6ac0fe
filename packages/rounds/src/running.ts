import { fromHex, utf8 } from '@starling/core';
import { sha256 } from '@starling/crypto';
import { type Envelope, REPLICATION_MAX, ROUNDS_LABEL } from '@starling/protocol-rounds';
import { byzantineMax } from '@starling/protocol-secagg';
import {
  createAssembly,
  createSession,
  type MaskGraph,
  type Member,
  type SessionConfig,
  type Veto,
} from '@starling/secagg';
import { cellDigest, cellSizeOf, cutCells, isWide, wideGraph } from './cells.ts';
import { attemptSeed, readHello } from './joins.ts';
import { ringShapeOf } from './shape.ts';
import { type Draft, type Placing, type RunningSession, selfOf, stateHashOf } from './state.ts';
import type { OwnerVeto } from './types.ts';

/**
 * The aggregation over a roster that is one sum; undefined when a JOIN's keys do not decode.
 * @param graph who masks with whom, when not everybody with everybody
 */
export function sessionOver(
  d: Draft,
  placing: Pick<Placing, 'slot' | 'roundId' | 'joins' | 'digest'>,
  graph?: MaskGraph,
): RunningSession | undefined {
  const { slot, roundId, joins, digest } = placing;
  const complete = cellConfig(d, placing, joins, digest);
  if (complete === undefined) return undefined;
  const config = graph === undefined ? complete : { ...complete, graph };
  const roster = config.members.map(({ peer }) => peer);
  const state = createSession(config);
  return { slot, roundId, roster, digest, config, state, assembly: undefined };
}

/**
 * The aggregation over a large roster, which is cut into cells, or masks on a graph.
 * @param acked JOINs of those whose ACKs count, in order of peer ids
 * @param digest of the roster's cells
 */
export function sessionOfMany(
  d: Draft,
  placing: Placing,
  acked: readonly Envelope[],
  digest: Uint8Array,
): RunningSession | undefined {
  const { slot, roundId } = placing;
  if (isWide(d.config.job.manifest)) {
    const peers = acked.map(({ sender }) => sender);
    if (!peers.includes(selfOf(d))) return undefined;
    return sessionOver(d, { slot, roundId, joins: acked, digest }, wideGraph(peers, digest));
  }
  const roster = acked.map(({ sender }) => sender);
  const cells = cutCells(roster, digest, cellSizeOf(d.config.job.manifest));
  const self = roster.indexOf(selfOf(d));
  const own = cells.findIndex((members) => members.includes(self));
  if (own === -1) return undefined;
  const joins = cells[own]!.map((index) => acked[index]!);
  const config = cellConfig(d, placing, joins, cellDigest(digest, own));
  if (config === undefined) return undefined;
  const state = createSession({ ...config, isCell: true });
  const { timers } = config;
  const assembly = createAssembly({ roster, self, cells, digest, timers });
  return { slot, roundId, roster, digest, config: state.config, state, assembly };
}

/**
 * Owners of a chunk, so that f deaths at any moment leave one; beyond 12 peers it costs too much.
 */
const defaultReplication = (peers: number): number =>
  Math.min(REPLICATION_MAX, byzantineMax(peers) + 1);

/** The owner's wishes, in terms of this roster's members. */
function vetoOver({ trusted, ...rest }: OwnerVeto, members: readonly Member[]): Veto {
  const indices = members.flatMap(({ peer }, index) => (trusted.includes(peer) ? [index] : []));
  return { ...rest, trusted: new Set(indices) };
}

function cellConfig(
  d: Draft,
  { slot, roundId }: Pick<Placing, 'slot' | 'roundId'>,
  joins: readonly Envelope[],
  rosterDigest: Uint8Array,
): SessionConfig | undefined {
  const members = joins.flatMap((join): Member[] => {
    const hello = readHello(join);
    if (hello === undefined || join.body.kind !== 'join') return [];
    return [{ peer: join.sender, hello, weight: join.body.weight }];
  });
  if (members.length !== joins.length) return undefined;
  const { manifest } = d.config.job;
  const { phaseSeconds, replication, unmasking } = manifest.aggregation;
  return {
    roundId: fromHex(roundId),
    attempt: slot.attempt,
    members,
    rosterDigest,
    self: members.findIndex(({ peer }) => peer === selfOf(d)),
    context: sha256(
      utf8(`${ROUNDS_LABEL}/context`),
      fromHex(d.config.job.id),
      fromHex(stateHashOf(d)!),
    ),
    shape: ringShapeOf(manifest, d.vectorLength, members.length),
    replication: replication === 0 ? defaultReplication(members.length) : replication,
    timers: { phaseMs: phaseSeconds * 1000, decideMs: phaseSeconds * 500 },
    seed: attemptSeed(d, roundId, slot.attempt),
    input: d.update!.handle,
    protection: d.config.protection,
    unmasking,
    ...(d.config.veto !== undefined && { veto: vetoOver(d.config.veto, members) }),
    ...(d.config.canary === 'never-both' ? { canary: d.config.canary } : {}),
  };
}
