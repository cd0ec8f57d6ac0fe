import { equalBytes, type PeerId, toHex, unreachable } from '@starling/core';
import type { Envelope } from '@starling/protocol-rounds';
import { encodeMessage } from '@starling/protocol-secagg';
import {
  type SessionConfig,
  type SessionEffect,
  type SessionEvent,
  type SessionRecord,
  step,
} from '@starling/secagg';
import { messageIn, pooledAttempt } from './pool.ts';
import { slotKey } from './round-id.ts';
import { type Draft, notice, type RunningSession, roundOf, send, setTimer } from './state.ts';

/** Starts the aggregation of an accepted roster, with all that has already come for it. */
export function startAttempt(d: Draft, session: RunningSession): void {
  const { slot, roundId, config } = session;
  const roster = config.members.map(({ peer }) => peer);
  notice(d, { kind: 'session', round: roundOf(d), slot, roster, update: d.update!.id });
  drive(d, { kind: 'start' });
  for (const [member, { peer }] of config.members.entries()) {
    if (d.lost.has(peer)) drive(d, { kind: 'reachable', member, reachable: false });
  }
  const held = [...pooledAttempt(d.pool, roundId, slot.attempt)];
  deliverEnvelopes(
    d,
    held.map(({ envelope }) => envelope),
  );
}

/** Hands pooled envelopes to the running session, those that are its members' messages. */
export function deliverEnvelopes(d: Draft, envelopes: readonly Envelope[]): void {
  if (d.phase.name !== 'session') return;
  const { session } = d.phase;
  const messages = envelopes.flatMap((envelope) => receivedBy(session, envelope) ?? []);
  if (messages.length > 0) drive(d, { kind: 'messages', messages });
}

function receivedBy({ roundId, config }: RunningSession, envelope: Envelope) {
  const { roster, sender } = envelope;
  if (roster === null || envelope.body.kind !== 'session') return undefined;
  if (envelope.roundId !== roundId || envelope.attempt !== config.attempt) return undefined;
  if (!equalBytes(roster, config.rosterDigest)) return undefined;
  const from = indexOf(config, sender);
  const message = messageIn(envelope);
  if (from === undefined || from === config.self || message === undefined) return undefined;
  return { from, message };
}

const indices = new WeakMap<SessionConfig, ReadonlyMap<PeerId, number>>();
/** A peer's index in the roster. */
function indexOf(config: SessionConfig, peer: PeerId): number | undefined {
  let known = indices.get(config);
  if (known === undefined) {
    known = new Map(config.members.map((member, index) => [member.peer, index]));
    indices.set(config, known);
  }
  return known.get(peer);
}

/** One step of the running session; its effects become the engine's. */
export function drive(d: Draft, event: SessionEvent): void {
  if (d.phase.name !== 'session' || d.phase.session.state.outcome !== undefined) return;
  const { session } = d.phase;
  const { state, effects } = step(session.state, event);
  d.phase = { name: 'session', session: { ...session, state } };
  for (const effect of effects) perform(d, session, effect);
}

function perform(d: Draft, session: RunningSession, effect: SessionEffect): void {
  const { slot, roundId, config } = session;
  switch (effect.kind) {
    case 'broadcast': {
      const context = { roundId, attempt: slot.attempt, roster: config.rosterDigest };
      send(d, context, { kind: 'session', message: encodeMessage(effect.message) });
      return;
    }
    case 'set-timer':
      setTimer(d, `session/${slotKey(slot)}/${effect.timer}`, effect.afterMs);
      return;
    case 'journal': {
      const key = `attempt/${roundId}/${slotKey(slot)}/${recordName(effect.record)}`;
      d.effects.push({ kind: 'journal', key, value: recordValue(d, effect.record) });
      return;
    }
    case 'phase':
      notice(d, { kind: 'phase', round: roundOf(d), slot, phase: effect.phase });
      return;
    case 'ended':
      return;
    case 'convict': {
      const { peer } = config.members[effect.member]!;
      const { reason } = effect.conviction;
      notice(d, { kind: 'convicted', round: roundOf(d), slot, peer, reason });
      return;
    }
    case 'compute':
    case 'send-chunk':
    case 'fetch-sum':
    case 'fetch-chunk':
      d.effects.push({ kind: 'session', round: roundOf(d), roundId, slot, config, effect });
      return;
    default:
      unreachable(effect);
  }
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
