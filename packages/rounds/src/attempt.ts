import { equalBytes, toHex, unreachable } from '@starling/core';
import type { Envelope } from '@starling/protocol-rounds';
import { decodeMessage, encodeMessage } from '@starling/protocol-secagg';
import { type SessionEffect, type SessionEvent, type SessionRecord, step } from '@starling/secagg';
import { pooledAttempt } from './pool.ts';
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
  for (const { envelope } of [...pooledAttempt(d.pool, roundId, slot.attempt)]) {
    deliverEnvelope(d, envelope);
  }
}

/** Hands a pooled envelope to the running session if it is one of its members' messages. */
export function deliverEnvelope(
  d: Draft,
  { roundId, attempt, roster, sender, body }: Envelope,
): void {
  if (d.phase.name !== 'session' || body.kind !== 'session' || roster === null) return;
  const { config } = d.phase.session;
  if (roundId !== d.phase.session.roundId || attempt !== config.attempt) return;
  if (!equalBytes(roster, config.rosterDigest)) return;
  const from = config.members.findIndex(({ peer }) => peer === sender);
  if (from === -1 || from === config.self) return;
  drive(d, { kind: 'message', from, message: decodeMessage(body.message) });
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
    case 'compute':
    case 'send-chunk':
    case 'fetch-sum':
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
