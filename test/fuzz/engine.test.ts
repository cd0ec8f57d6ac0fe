import { encodeCanonical, type PeerId } from '@starling/core';
import {
  certificateCodec,
  gossipCodec,
  openEnvelope,
  syncRequestCodec,
} from '@starling/protocol-rounds';
import type { EngineEffect, EngineState } from '@starling/rounds';
import { expect, test } from 'vitest';
import { createDice } from '../../packages/secagg/src/testing/random.ts';
import { Scene } from './engine-scene.ts';
import { isFull } from './size.ts';

const WALKS = isFull ? 800 : 40;
const STEPS = 200;
/** As many as an engine may keep; see packages/rounds/src, pool.ts, engine.ts and sync.ts. */
const MOST = { perSender: 256, attempts: 32, early: 1_024, marks: 8_192 + STEPS };

function checkBounds({ pool, early, marks, reachable, lost, joined, barred }: EngineState): void {
  const attempts = new Map<PeerId, number>();
  for (const senders of pool.values()) {
    expect(senders.size).toBeGreaterThan(0);
    for (const [sender, slots] of senders) {
      expect(slots.size).toBeLessThanOrEqual(MOST.perSender);
      attempts.set(sender, (attempts.get(sender) ?? 0) + 1);
    }
  }
  expect(Math.max(0, ...attempts.values())).toBeLessThanOrEqual(MOST.attempts);
  expect(early.length).toBeLessThanOrEqual(MOST.early);
  expect(marks.size).toBeLessThanOrEqual(MOST.marks);
  for (const set of [reachable, lost, joined, barred]) expect(set.size).toBeLessThanOrEqual(STEPS);
}

/** Fields that may be left undefined. */
const OPTIONAL = new Set(['canary', 'graph', 'veto', 'needsConfirmation']);

/** Path of something that is undefined, not a number, or a text made of such. */
function hole(value: unknown, path: string): string | undefined {
  if (value === undefined || Number.isNaN(value)) return path;
  if (typeof value === 'string')
    return /undefined|NaN/.test(value) ? `${path}: ${value}` : undefined;
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return undefined;
  for (const [key, part] of Object.entries(value)) {
    const found = OPTIONAL.has(key) ? undefined : hole(part, `${path}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What leaves this peer or its process has an encoding, and nothing in it is missing. */
function checkEffect(effect: EngineEffect, reason: string | undefined): void {
  if (reason !== 'NaN') expect(hole(effect, effect.kind)).toBeUndefined();
  switch (effect.kind) {
    case 'gossip':
      encodeCanonical(gossipCodec, effect.message);
      return;
    case 'pull': {
      const { round, cell, salt, have } = effect;
      const job = 'ab'.repeat(32) as never;
      encodeCanonical(syncRequestCodec, { kind: 'envelopes', job, round, cell, salt, have });
      return;
    }
    case 'fetch-chain': {
      const { fromRound } = effect;
      expect(fromRound).toBeGreaterThanOrEqual(1);
      encodeCanonical(syncRequestCodec, {
        kind: 'chain',
        job: 'ab'.repeat(32) as never,
        fromRound,
      });
      return;
    }
    case 'store-chain':
      for (const certificate of effect.certificates) encodeCanonical(certificateCodec, certificate);
      return;
    case 'set-timer':
      expect(effect.afterMs).toBeGreaterThan(0);
      return;
    default:
  }
}

/** Each JOIN is in the journal before it is sent, and no slot is JOINed twice. */
function checkJoins(effects: readonly EngineEffect[], seen: Set<string>): void {
  const journalled = new Set<string>();
  for (const effect of effects) {
    if (effect.kind === 'journal') journalled.add(effect.key);
    if (effect.kind !== 'gossip' || effect.message.kind !== 'envelope') continue;
    const { body, roundId, attempt } = openEnvelope(effect.message.bytes)!;
    if (body.kind !== 'join') continue;
    const key = `join/${roundId}/${body.restarts}/${attempt}`;
    expect(journalled.has(key)).toBe(true);
    expect(seen.has(key)).toBe(false);
    seen.add(key);
  }
}

test('no sequence of events breaks the engine, and its state stays bounded', () => {
  const phases = new Set<string>();
  let steps = 0;
  for (let seed = 1; seed <= WALKS; seed++) {
    const dice = createDice(seed);
    const scene = new Scene(dice);
    const joins = new Set<string>();
    let checked = 0;
    for (let i = 0; i < STEPS; i++) {
      if (dice.chance(0.02)) scene.openSum();
      if (dice.chance(0.1)) scene.forgive();
      const event = scene.draw();
      try {
        scene.take(event);
        const effects = scene.asked.slice(checked);
        checked = scene.asked.length;
        for (const effect of effects)
          checkEffect(effect, 'reason' in event ? event.reason : undefined);
        checkJoins(effects, joins);
        checkBounds(scene.state);
      } catch (error) {
        throw new Error(`seed ${seed}, step ${i}, ${event.kind}`, { cause: error });
      }
      phases.add(scene.state.phase.name);
      steps += 1;
    }
  }
  process.stdout.write(`engine: ${steps} events in ${WALKS} walks, ${phases.size} phases\n`);
  // The walks get about: they do not only bounce off the first phases.
  const wanted = [
    'training',
    'watching',
    'joining',
    'session',
    'applying',
    'certifying',
    'finished',
  ];
  for (const phase of wanted) expect(phases).toContain(phase);
});
