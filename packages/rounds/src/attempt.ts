import { equalBytes, type PeerId, toHex, unreachable } from '@starling/core';
import type { Envelope } from '@starling/protocol-rounds';
import { encodeMessage } from '@starling/protocol-secagg';
import {
  type AssemblyEffect,
  type AssemblyEvent,
  assemblyStep,
  type CellSum,
  type SessionEffect,
  type SessionEvent,
  type SessionOutcome,
  type SessionRecord,
  step,
} from '@starling/secagg';
import { accuse } from './bans.ts';
import { indexIn } from './peer-index.ts';
import { messageIn, pooledAttempt } from './pool.ts';
import { slotKey } from './round-id.ts';
import { type Draft, notice, type RunningSession, roundOf, send, setTimer } from './state.ts';

/** Starts the aggregation of an accepted roster, with all that has already come for it. */
export function startAttempt(d: Draft, session: RunningSession): void {
  const { slot, roundId, roster, config } = session;
  notice(d, { kind: 'session', round: roundOf(d), slot, roster, update: d.update!.id });
  if (session.assembly !== undefined) {
    d.effects.push({ kind: 'listen', cell: config.rosterDigest });
    driveAssembly(d, { kind: 'start' });
  }
  drive(d, { kind: 'start' });
  for (const peer of roster) if (d.lost.has(peer)) tellReachable(d, peer, false);
  const held = [...pooledAttempt(d.pool, roundId, slot.attempt)];
  deliverEnvelopes(
    d,
    held.map(({ envelope }) => envelope),
  );
}

/** Tells the running aggregation that a member's connection came or went. */
export function tellReachable(d: Draft, peer: PeerId, reachable: boolean): void {
  if (d.phase.name !== 'session') return;
  const { roster, config, assembly } = d.phase.session;
  const member = config.members.findIndex((entry) => entry.peer === peer);
  if (member !== -1) drive(d, { kind: 'reachable', member, reachable });
  const index = assembly && indexIn(roster, peer);
  if (index !== undefined) driveAssembly(d, { kind: 'reachable', member: index, reachable });
}

/** Hands pooled envelopes to the running session, those that are its members' messages. */
export function deliverEnvelopes(d: Draft, envelopes: readonly Envelope[]): void {
  if (d.phase.name !== 'session') return;
  const { session } = d.phase;
  const received = envelopes.filter((envelope) => isOf(session, envelope));
  const cell = peersOf(session);
  const messages = received.flatMap((envelope) => receivedBy(cell, 'session', envelope) ?? []);
  if (messages.length > 0) drive(d, { kind: 'messages', messages });
  if (session.assembly === undefined) return;
  const { roster } = session;
  const wide = received.flatMap((envelope) => receivedBy(roster, 'assembly', envelope) ?? []);
  if (wide.length > 0) driveAssembly(d, { kind: 'messages', messages: wide });
}

const isOf = ({ roundId, slot, digest }: RunningSession, envelope: Envelope): boolean =>
  envelope.roster !== null &&
  envelope.roundId === roundId &&
  envelope.attempt === slot.attempt &&
  equalBytes(envelope.roster, digest);

const cells = new WeakMap<RunningSession['config'], readonly PeerId[]>();
/** Peers of this peer's own cell. */
function peersOf({ config }: RunningSession): readonly PeerId[] {
  const known = cells.get(config);
  if (known !== undefined) return known;
  const peers = config.members.map(({ peer }) => peer);
  cells.set(config, peers);
  return peers;
}

function receivedBy(
  peers: readonly PeerId[],
  kind: 'session' | 'assembly',
  envelope: Envelope,
): Extract<SessionEvent, { kind: 'messages' }>['messages'][number] | undefined {
  if (envelope.body.kind !== kind) return undefined;
  const from = indexIn(peers, envelope.sender);
  const message = messageIn(envelope);
  return from === undefined || message === undefined ? undefined : { from, message };
}

/** Steps the running session, and performs what it asks for. */
export function drive(d: Draft, event: SessionEvent): void {
  if (d.phase.name !== 'session' || d.phase.session.state.outcome !== undefined) return;
  const { session } = d.phase;
  const { state, effects } = step(session.state, event);
  d.phase = { name: 'session', session: { ...session, state } };
  for (const effect of effects) perform(d, session, effect);
}

/** Steps the assembly of the running session's cells. */
export function driveAssembly(d: Draft, event: AssemblyEvent): void {
  if (d.phase.name !== 'session' || d.phase.session.assembly === undefined) return;
  const { session } = d.phase;
  const { state, effects } = assemblyStep(d.phase.session.assembly, event);
  d.phase = { name: 'session', session: { ...session, assembly: state } };
  for (const effect of effects) performAssembly(d, session, effect);
}

export type AttemptOutcome =
  | { readonly kind: 'sum'; readonly sums: readonly CellSum[] }
  | Exclude<SessionOutcome, { kind: 'sum' }>;

/** How the attempt ended; undefined while it goes on. */
export function outcomeOf({ state, assembly }: RunningSession): AttemptOutcome | undefined {
  const { outcome } = state;
  if (assembly === undefined) {
    if (outcome?.kind !== 'sum') return outcome;
    const { result, survivors } = outcome;
    return { kind: 'sum', sums: [{ result, survivors }] };
  }
  const all = assembly.outcome;
  if (all?.kind === 'sums') return { kind: 'sum', sums: all.sums };
  // This peer's own cell did not open, and never will: its update is as good as new.
  if (all?.kind === 'burnt' && outcome?.kind === 'retry') return outcome;
  return all;
}

function perform(d: Draft, session: RunningSession, effect: SessionEffect): void {
  const { slot, roundId, config, digest, assembly } = session;
  switch (effect.kind) {
    case 'broadcast': {
      const context = { roundId, attempt: slot.attempt, roster: digest };
      const cell = assembly === undefined ? null : config.rosterDigest;
      send(d, context, { kind: 'session', message: encodeMessage(effect.message) }, cell);
      return;
    }
    case 'set-timer':
      setTimer(d, `session/${slotKey(slot)}/${effect.timer}`, effect.afterMs);
      return;
    case 'journal':
      note(d, session, recordName(effect.record), recordValue(d, effect.record));
      return;
    case 'phase':
      notice(d, { kind: 'phase', round: roundOf(d), slot, phase: effect.phase });
      return;
    case 'nominate':
      driveAssembly(d, { kind: 'nominated', entry: effect.entry });
      return;
    case 'ended':
      onCellEnded(d, effect.outcome);
      return;
    case 'convict': {
      const { peer } = config.members[effect.member]!;
      const { reason } = effect.conviction;
      notice(d, { kind: 'convicted', round: roundOf(d), slot, peer, reason });
      accuse(d, session, peer, reason);
      return;
    }
    case 'compute':
    case 'send-chunk':
    case 'fetch-sum':
    case 'fetch-plain':
    case 'fetch-chunk':
      d.effects.push({ kind: 'session', round: roundOf(d), roundId, slot, config, effect });
      return;
    default:
      unreachable(effect);
  }
}

function onCellEnded(d: Draft, outcome: SessionOutcome): void {
  if (outcome.kind !== 'sum' || outcome.digest === undefined) return;
  const { survivors: members, digest, result } = outcome;
  driveAssembly(d, { kind: 'cell-opened', members, digest, result });
}

function performAssembly(d: Draft, session: RunningSession, effect: AssemblyEffect): void {
  const { slot, roundId, config, digest, roster } = session;
  switch (effect.kind) {
    case 'broadcast': {
      const context = { roundId, attempt: slot.attempt, roster: digest };
      send(d, context, { kind: 'assembly', message: encodeMessage(effect.message) });
      return;
    }
    case 'set-timer':
      setTimer(d, `assembly/${slotKey(slot)}/${effect.timer}`, effect.afterMs);
      return;
    case 'journal':
      note(d, session, `vote/${effect.slot}`, effect.value);
      return;
    case 'phase':
      notice(d, { kind: 'phase', round: roundOf(d), slot, phase: effect.phase });
      return;
    case 'confirm':
      drive(d, { kind: 'confirmed', digest: effect.digest });
      return;
    case 'fetch-cell': {
      const from = effect.from.map((index) => roster[index]!);
      const { cell } = effect;
      d.effects.push({
        kind: 'fetch-cell',
        roundId,
        slot,
        config,
        cell,
        digest: effect.digest,
        from,
      });
      return;
    }
    case 'ended':
      return;
    default:
      unreachable(effect);
  }
}

function note(d: Draft, { roundId, slot }: RunningSession, name: string, value: string): void {
  d.effects.push({ kind: 'journal', key: `attempt/${roundId}/${slotKey(slot)}/${name}`, value });
}

const recordName = (record: SessionRecord): string =>
  record.kind === 'vote' ? `vote/${record.slot}` : record.kind;

function recordValue(d: Draft, record: SessionRecord): string {
  switch (record.kind) {
    case 'vote':
      return record.value;
    case 'reveal':
      return toHex(record.survivors);
    default:
      return d.update?.id ?? '';
  }
}
