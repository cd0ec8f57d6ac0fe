import { millis, type PeerId, type RoundId, utf8 } from '@starling/core';
import { type SigningKey, sha256 } from '@starling/crypto';
import { type Body, type Envelope, type Job, openEnvelope } from '@starling/protocol-rounds';
import { engineStep } from '../engine.ts';
import type { Slot } from '../round-id.ts';
import { createEngine, currentRoundId, type EngineState, stateHashOf } from '../state.ts';
import type { EngineConfig, EngineEffect, EngineEvent, Notice } from '../types.ts';
import { hashNamed } from './fixtures.ts';

type EffectOf<K> = Extract<EngineEffect, { kind: K }>;
type NoticeOf<K> = Extract<Notice, { kind: K }>;

/** State of round 0 of every test job. */
export const GENESIS = hashNamed('genesis');

/** One engine and everything it asked for; nothing is performed unless a test does it. */
export class EnginePeer {
  state: EngineState;
  now = 0;
  readonly effects: EngineEffect[] = [];
  readonly #key: SigningKey;
  #updates = 0;

  constructor(job: Job, key: SigningKey, more: Partial<EngineConfig> = {}) {
    this.#key = key;
    this.state = createEngine({ job, key, weight: 1, protection: 'none', ...more });
  }

  get peer(): PeerId {
    return this.#key.peerId;
  }

  get phase(): string {
    return this.state.phase.name;
  }

  /** One event; the effects that it called for. */
  take(event: EngineEvent): readonly EngineEffect[] {
    const { state, effects } = engineStep(this.state, { at: millis(this.now), event });
    this.state = state;
    this.effects.push(...effects);
    return effects;
  }

  /** Starts with the model ready, and with consent and data unless told. */
  start(
    joined: readonly { readonly roundId: RoundId; readonly slot: Slot }[] = [],
    participate = true,
  ): this {
    this.take({ kind: 'start', certificates: [], joined, bans: [] });
    this.take({ kind: 'prepared', vectorLength: 8, stateHash: GENESIS });
    if (participate) this.take({ kind: 'participate', on: true });
    return this;
  }

  /** Training from `stateHash`, the present state unless told, ends well. */
  train(stateHash = stateHashOf(this.state)!): readonly EngineEffect[] {
    const id = `update ${this.#updates++}`;
    const entropy = sha256(utf8(`${this.peer} ${id}`));
    return this.take({ kind: 'trained', stateHash, update: { id, handle: id }, entropy });
  }

  /** The first timer of this name that was set and has not been fired by a test. */
  fire(name: string): readonly EngineEffect[] {
    const at = this.effects.findIndex(
      (effect) => effect.kind === 'set-timer' && bareName(effect.timer).startsWith(name),
    );
    const [effect] = at === -1 ? [] : this.effects.splice(at, 1);
    if (effect?.kind !== 'set-timer') throw new Error(`no timer ${name} is set`);
    this.now = Math.max(this.now, this.now + effect.afterMs);
    return this.take({ kind: 'timer', timer: effect.timer });
  }

  hear(...envelopes: readonly Envelope[]): void {
    for (const envelope of envelopes) this.take({ kind: 'envelopes', envelopes: [envelope] });
  }

  of<K extends EngineEffect['kind']>(kind: K): readonly EffectOf<K>[] {
    return this.effects.filter((effect): effect is EffectOf<K> => effect.kind === kind);
  }

  notices<K extends Notice['kind']>(kind: K): readonly NoticeOf<K>[] {
    return this.of('notice').flatMap(({ notice }) =>
      notice.kind === kind ? [notice as NoticeOf<K>] : [],
    );
  }

  /** What this peer has gossiped, of one kind. */
  sent(kind: Body['kind']): readonly Envelope[] {
    return this.of('gossip').flatMap(({ message }) => {
      const envelope = message.kind === 'envelope' ? openEnvelope(message.bytes) : undefined;
      return envelope?.body.kind === kind ? [envelope] : [];
    });
  }

  roundId(restarts = 0): RoundId {
    return currentRoundId(this.state, restarts);
  }
}

/** A timer's name without its round. */
const bareName = (timer: string): string => timer.slice(timer.indexOf('/') + 1);

/** Every JOIN and ROSTER that anybody sent reaches everybody, until there is nothing new. */
export function exchange(peers: readonly EnginePeer[]): void {
  for (let before = -1, now = 0; before !== now; ) {
    before = now;
    const all = peers.flatMap((peer) => [...peer.sent('join'), ...peer.sent('roster')]);
    for (const peer of peers) peer.hear(...all.filter(({ sender }) => sender !== peer.peer));
    now = all.length;
  }
}
