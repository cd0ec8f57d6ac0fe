/** Draws what one peer's engine may meet: hostile peers, strangers, and a host that is late. */
import { readFileSync } from 'node:fs';
import {
  compareText,
  encodeCanonical,
  fromHex,
  type JobId,
  LIMITS,
  millis,
  type PeerId,
} from '@starling/core';
import { Secret, type SigningKey } from '@starling/crypto';
import {
  ACCUSATIONS,
  type Body,
  type Certificate,
  type CertificateHash,
  type Envelope,
  type Evidence,
  evidenceCodec,
  sealEnvelope,
  signStatement,
} from '@starling/protocol-rounds';
import { helloCodec } from '@starling/protocol-secagg';
import {
  type EngineEffect,
  type EngineEvent,
  type EngineState,
  type EngineStep,
  engineStep,
  pooled,
  roundOf,
  stateHashOf,
} from '@starling/rounds';
import { helloOf, type SessionEvent } from '@starling/secagg';
import { proposerOf } from '../../packages/rounds/src/joins.ts';
import { createEngine, currentRoundId, parentOf } from '../../packages/rounds/src/state.ts';
import {
  certificateAfter,
  hashNamed,
  testJob,
  testKeys,
} from '../../packages/rounds/src/testing/fixtures.ts';
import type { Dice } from './mutate.ts';
import { mutateMsgpack } from './mutate-msgpack.ts';

const keys = testKeys(9);
const [own, ...others] = keys as [SigningKey, ...SigningKey[]];
/** May be in a roster; the last three of all keys belong to nobody that the peer knows. */
const members = others.slice(0, 5);
const strangers = others.slice(5);
const HELLO = encodeCanonical(helloCodec, helloOf(new Secret(new Uint8Array(32).fill(5))));

/** Encodings of every kind of session message. */
const messages: readonly Uint8Array[] = (
  JSON.parse(
    readFileSync(new URL('../../protocols/secagg/vectors/good.json', import.meta.url), 'utf8'),
  ) as { type: string; hex: string }[]
).flatMap(({ type, hex }) => (type === 'message' ? [fromHex(hex)] : []));

/** One engine, the effects it asked for, and what was said to it before. */
export class Scene {
  state: EngineState;
  readonly asked: EngineEffect[] = [];
  readonly #said: EngineEvent[] = [];
  readonly #dice: Dice;
  #now = 0;

  constructor(dice: Dice) {
    this.#dice = dice;
    const job = testJob(own, {
      rounds: dice.pick([1, 2, 4]),
      admission: { minPeers: 3, maxPeers: dice.pick([4, 64]) },
    });
    const protection = dice.pick(['none', 'double-masking'] as const);
    this.state = createEngine({ job, key: own, weight: dice.below(9), protection });
    this.take({ kind: 'start', certificates: [], joined: [], bans: [] });
    this.take({ kind: 'prepared', vectorLength: 40, stateHash: hashNamed('genesis') });
    this.take({ kind: 'participate', on: true });
  }

  take(event: EngineEvent): EngineStep {
    this.#now += this.#dice.below(4_000);
    const step = engineStep(this.state, { at: millis(this.#now), event });
    this.state = step.state;
    this.asked.push(...step.effects);
    return step;
  }

  /** Something new, or something that was said before. */
  draw(): EngineEvent {
    const dice = this.#dice;
    if (this.#said.length > 0 && dice.chance(0.1)) return dice.pick(this.#said);
    const event = dice.chance(0.5) ? this.#drawEnvelope() : this.#drawHostEvent();
    this.#said.push(event);
    return event;
  }

  /** A step that no random walk finds: the session opens its sum. */
  openSum(): void {
    const { phase } = this.state;
    if (phase.name !== 'session') return;
    const { session } = phase;
    const survivors = [...session.config.members.keys()];
    const outcome = { kind: 'sum', result: 'sum', survivors } as const;
    const opened = { ...session, state: { ...session.state, outcome } };
    this.state = { ...this.state, phase: { name: 'session', session: opened } };
    // Any event makes the engine look at its session.
    this.take({ kind: 'timer', timer: 'none' });
  }

  /** Neither does one find many peers that never contradict themselves. */
  forgive(): void {
    this.state = { ...this.state, bans: new Map() };
  }

  #slot(): { restarts: number; attempt: number } {
    const { restarts, attempt } = this.state.slot;
    const near = this.#dice.chance(0.7) ? 0 : this.#dice.below(3);
    const far = this.#dice.chance(0.9) ? 0 : this.#dice.pick([17, 70, 1_000]);
    const clamp = (value: number) => Math.min(1_000, value);
    return this.#dice.chance(0.5)
      ? { restarts, attempt: clamp(attempt + near + far) }
      : { restarts: clamp(restarts + near + far), attempt };
  }

  #drawEnvelope(): EngineEvent {
    const dice = this.#dice;
    const { restarts, attempt } = this.#slot();
    const key = dice.chance(0.85) ? dice.pick(members) : dice.pick([own, ...strangers]);
    const roundId = dice.chance(0.95)
      ? currentRoundId(this.state, restarts)
      : (hashNamed(`round ${dice.below(4)}`) as never);
    const { body, sender = key } = this.#drawBody(restarts, attempt, key);
    const { phase } = this.state;
    const running = 'session' in phase ? phase.session.digest : dice.bytes(32);
    const isOpen = body.kind === 'join' || body.kind === 'roster';
    const roster = isOpen === dice.chance(0.95) ? null : running;
    const envelope = sealEnvelope({ roundId, attempt, roster }, body, sender);
    return { kind: 'envelopes', envelopes: [envelope] };
  }

  #drawBody(restarts: number, attempt: number, key: SigningKey) {
    const choice = this.#dice.below(7);
    if (choice === 6) return { body: this.#accusation() };
    if (choice <= 1) return { body: this.#join(restarts) };
    if (choice === 2) return this.#roster(restarts, attempt);
    if (choice === 3) return { body: this.#final(key) };
    const message = this.#dice.pick(messages);
    const isWhole = this.#dice.chance(0.6);
    const bytes = isWhole ? message : mutateMsgpack(this.#dice, message, messages);
    const fits = bytes.length > 0 && bytes.length <= LIMITS.controlBytesMax - 512;
    return { body: { kind: 'session', message: fits ? bytes : message } satisfies Body };
  }

  /** Mostly one that counts; else one field is something else. */
  #join(restarts: number): Body {
    const dice = this.#dice;
    const sometimes = <T>(value: T, other: T): T => (dice.chance(0.93) ? value : other);
    const round = roundOf(this.state);
    return {
      kind: 'join',
      round: sometimes(round, dice.pick([0, round + 1, round + 9, 1_000_000])),
      restarts,
      parent: sometimes(parentOf(this.state), hashNamed('parent') as string as CertificateHash),
      stateHash: sometimes(stateHashOf(this.state)!, hashNamed('other')),
      hello: sometimes(HELLO, dice.bytes(dice.below(257))),
      beacon: new Uint8Array(32),
      weight: dice.below(9),
    };
  }

  /** Of JOINs that are held, by the right proposer, unless it is mangled. */
  #roster(restarts: number, attempt: number): { body: Body; sender?: SigningKey } {
    const dice = this.#dice;
    const roundId = currentRoundId(this.state, restarts);
    const held = new Map<PeerId, Envelope>();
    for (const { envelope } of pooled(this.state.pool)) {
      const here = envelope.roundId === roundId && envelope.attempt === attempt;
      if (here && envelope.body.kind === 'join') held.set(envelope.sender, envelope);
    }
    const peers = [...held.keys()].sort(compareText);
    const joins = peers.map((peer) => held.get(peer)!.hash);
    if (dice.chance(0.1)) joins.reverse();
    if (dice.chance(0.1)) joins.push(hashNamed('nobody'));
    if (dice.chance(0.05)) joins.length = 0;
    const proposer = peers.length > 0 ? proposerOf(roundId, attempt, peers) : undefined;
    const sender = keys.find(({ peerId }) => peerId === proposer);
    const body: Body = { kind: 'roster', joins };
    return sender && dice.chance(0.9) ? { body, sender } : { body };
  }

  #accusation(): Body {
    const member = this.#dice.pick([0, 1, 2, 3, 1_023]);
    return { kind: 'accuse', member, reason: this.#dice.pick(ACCUSATIONS) };
  }

  /** Of two envelopes that were said, whoever said them; or of accusations; or of nothing. */
  #evidence(): EngineEvent {
    const dice = this.#dice;
    const held = [...pooled(this.state.pool)].map(({ envelope }) => envelope.bytes);
    const one = () => (held.length > 0 && dice.chance(0.9) ? dice.pick(held) : dice.bytes(80));
    const place = { round: dice.pick([0, 1, 2, 1_000_000]), restarts: dice.below(3) };
    const evidence: Evidence = dice.chance(0.5)
      ? { kind: 'equivocation', ...place, first: one(), second: one() }
      : { kind: 'testimony', ...place, accusations: Array.from({ length: dice.below(5) }, one) };
    return { kind: 'evidence', bytes: encodeCanonical(evidenceCodec, evidence) };
  }

  #final(key: SigningKey): Body {
    const { phase } = this.state;
    if (phase.name !== 'certifying' || this.#dice.chance(0.2)) {
      const statement = hashNamed('statement') as string as CertificateHash;
      return { kind: 'final', statement, signature: this.#dice.bytes(64) };
    }
    const signature = signStatement(phase.statement, key);
    return { kind: 'final', statement: phase.hash, signature };
  }

  #drawHostEvent(): EngineEvent {
    const dice = this.#dice;
    const peer = dice.pick(others).peerId;
    const stateHash = dice.chance(0.8)
      ? (this.#lastAsked('train')?.stateHash ?? hashNamed('none'))
      : hashNamed('other');
    const id = `update ${dice.below(1_000)}`;
    const cases: readonly (() => EngineEvent)[] = [
      () => ({ kind: 'timer', timer: this.#timer() }),
      () => ({ kind: 'timer', timer: this.#timer() }),
      () => ({ kind: 'trained', stateHash, update: { id, handle: id }, entropy: dice.bytes(32) }),
      () => ({ kind: 'train-failed', stateHash, reason: 'NaN' }),
      () => ({ kind: 'participate', on: dice.chance(0.8) }),
      () => ({ kind: 'reachable', peer, reachable: dice.chance(0.6) }),
      () => this.#sessionEvent(),
      () => this.#sessionEvent(),
      () => this.#applied(),
      () => ({ kind: 'head', from: peer, round: dice.below(5), certificate: null }),
      () => ({ kind: 'chain', from: peer, certificates: this.#certificates() }),
      () => this.#fetched(),
      () => this.#evidence(),
      // Answers to nothing that was asked.
      () => ({ kind: 'prepared', vectorLength: 40, stateHash: hashNamed('genesis') }),
      () => ({ kind: 'state-missing', stateHash: hashNamed('other') }),
    ];
    return dice.pick(cases)();
  }

  #lastAsked<K extends EngineEffect['kind']>(kind: K) {
    const found = this.asked.findLast((effect) => effect.kind === kind);
    return found as Extract<EngineEffect, { kind: K }> | undefined;
  }

  /** One that was set, perhaps long ago, or one that was not. */
  #timer(): string {
    const set = this.asked.flatMap((effect) => (effect.kind === 'set-timer' ? [effect.timer] : []));
    if (set.length > 0 && this.#dice.chance(0.9)) return this.#dice.pick(set.slice(-30));
    return this.#dice.pick(['', '/', '1/roster', '1/window/0', '1/session/x/y', '1/certify/0/0/0']);
  }

  #roundId(): ReturnType<typeof currentRoundId> {
    const { phase } = this.state;
    const isStale = !('session' in phase) || this.#dice.chance(0.1);
    return isStale ? currentRoundId(this.state, 0) : phase.session.roundId;
  }

  #applied(): EngineEvent {
    const roundId = this.#roundId();
    if (this.#dice.chance(0.2)) return { kind: 'apply-failed', roundId, reason: 'range' };
    const metrics = { lossSum: 1, correct: 1, examples: 2, seconds: 0 };
    const stateHash = hashNamed(`state ${this.#dice.below(3)}`);
    return { kind: 'applied', roundId, stateHash, metrics };
  }

  #sessionEvent(): EngineEvent {
    const dice = this.#dice;
    const chunk = dice.below(3);
    const hash = dice.bytes(32);
    const events: readonly SessionEvent[] = [
      { kind: 'timer', timer: dice.pick(['shares', 'chunks', 'stall/start', 'burn/start', '']) },
      { kind: 'reachable', member: dice.below(6), reachable: dice.chance(0.3) },
      { kind: 'masked', chunkHashes: [hash, dice.bytes(32)] },
      { kind: 'chunk-received', from: dice.below(6), chunk, hash, proof: [dice.bytes(32)] },
      { kind: 'summed', sums: [{ chunk, hash }] },
      { kind: 'sum-fetched', chunk, hash },
      { kind: 'sum-missing', chunk, hash },
      { kind: 'chunk-missing', from: dice.below(6), chunk },
      { kind: 'sums-tagged', tags: [{ chunk, hash, tag: dice.bytes(32) }] },
      { kind: 'chunks-tagged', tags: [{ chunk, of: dice.below(6), tag: dice.bytes(32) }] },
      { kind: 'chunks-unmasked', sums: [{ chunk, hash }] },
      { kind: 'plain-fetched', chunk, hash },
      { kind: 'plain-missing', chunk, hash },
      { kind: 'unmasked', result: 'result', inRange: dice.chance(0.5) },
    ];
    const slot = dice.chance(0.9) ? this.state.slot : { restarts: 0, attempt: dice.below(3) };
    const message = { slot, event: dice.pick(events) };
    return { kind: 'session', roundId: this.#roundId(), message };
  }

  #fetched(): EngineEvent {
    const asked = this.#lastAsked('fetch-state')?.stateHash ?? hashNamed('other');
    return { kind: 'state-fetched', stateHash: asked };
  }

  /** Certificates that follow the peer's chain or a fork of it; some do not hold. */
  #certificates(): readonly Certificate[] {
    const dice = this.#dice;
    const { job } = this.state.config;
    const from = dice.below(this.state.chain.length + 1);
    const chain = this.state.chain.slice(0, from);
    const roster = [own, ...members].slice(dice.below(2), 4 + dice.below(3));
    const length = 1 + dice.below(3);
    for (let i = 0; i < length; i++) {
      const changes = dice.chance(0.85)
        ? {}
        : dice.pick([
            { round: 0 },
            { round: 1_000_000 },
            { roster: [] },
            { survivors: dice.bytes(1 + dice.below(16)) },
            { jobId: hashNamed('job') as string as JobId },
          ]);
      const state = `fork ${dice.below(3)} of ${chain.length}`;
      const certificate = certificateAfter(chain, { job, roster, state, changes });
      const junk = { member: dice.below(LIMITS.cellPeersMax), signature: dice.bytes(64) };
      const signatures = dice.chance(0.2)
        ? [junk, ...certificate.signatures]
        : certificate.signatures;
      chain.push({ ...certificate, signatures });
    }
    return chain.slice(dice.chance(0.8) ? from : dice.below(chain.length));
  }
}
