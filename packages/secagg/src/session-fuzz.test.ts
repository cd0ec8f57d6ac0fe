import type { SecaggMessage } from '@starling/protocol-secagg';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { step } from './session.ts';
import { createSession } from './state.ts';
import { cellConfigs, runCell } from './testing/cell.ts';
import { sent } from './testing/checks.ts';
import { createDice, type Dice } from './testing/random.ts';
import type { SessionConfig, SessionEvent } from './types.ts';

const MEMBERS = 4;
const CHUNKS = 5;
const TIMERS = [
  'shares',
  'chunks',
  'survivors',
  'stall/start',
  'stall/chunks',
  'stall/decided',
  'stall/hurry',
  'burn/chunks',
  'burn/hurry',
  'burn/decided',
  'mask-set/propose/0',
  'mask-set/prevote/0',
  'mask-set/precommit/0',
  'survivors/propose/0',
  'survivors/prevote/1',
  'survivors/precommit/0',
  'unmask/0',
  'unmask/7',
  'verify/0',
  'verify/7',
  'refetch/0',
  'no such timer',
  '',
];

/** Real messages of this cell by anybody: good ones, late ones, and ones from the wrong sender. */
function drawMessage(dice: Dice, real: readonly (readonly [number, SecaggMessage])[]) {
  const [from, message] = dice.pick(real);
  const sender = dice.chance(0.8) ? from : dice.below(MEMBERS);
  return {
    kind: 'messages',
    messages: [{ from: sender, message: garble(dice, message) }],
  } as const;
}

function garble(dice: Dice, message: SecaggMessage): SecaggMessage {
  if (dice.chance(0.7)) return message;
  switch (message.kind) {
    case 'keyshare':
      return { ...message, selfMaskCommitment: dice.bytes(32) };
    case 'prevote':
    case 'precommit':
      return { ...message, view: dice.below(100), value: dice.chance(0.5) ? null : dice.bytes(32) };
    case 'propose':
      return {
        ...message,
        view: dice.below(5),
        validView: dice.chance(0.5) ? null : dice.below(5),
        value: dice.chance(0.3)
          ? { kind: 'abort' }
          : {
              kind: 'set',
              members: dice.bytes(1 + dice.below(2)),
              bound: Array.from({ length: dice.below(6) }, () => dice.bytes(16)),
            },
      };
    case 'receipt':
      return {
        ...message,
        revision: dice.below(8),
        chunks: dice.bytes(1 + dice.below(2)),
        contributors: dice.bytes(1),
      };
    case 'commit':
      return { ...message, root: dice.bytes(32) };
    case 'complaint':
      return { ...message, dealers: dice.bytes(1), owners: dice.bytes(1 + dice.below(2)) };
    case 'tags':
      return { ...message, tags: Array.from({ length: dice.below(5) }, () => dice.bytes(32)) };
    case 'audit': {
      const item = { of: dice.below(MEMBERS), chunk: dice.below(CHUNKS), tag: dice.bytes(32) };
      return { ...message, revision: dice.below(8), items: [item] };
    }
    case 'sums':
      return { ...message, sums: [{ chunk: dice.below(1_024), hash: dice.bytes(32) }] };
    case 'unmask':
      return { ...message, edges: [{ with: dice.below(128), seed: dice.bytes(32) }] };
    case 'shares': {
      const item = { of: dice.below(128), share: dice.bytes(32) };
      const kind = dice.chance(0.5) ? 'self-mask' : 'mask-key';
      return { ...message, revision: dice.below(8), items: [{ kind, ...item }] };
    }
    default:
      return message;
  }
}

function drawHostEvent(dice: Dice): SessionEvent {
  const chunk = dice.below(CHUNKS + 1);
  const cases: readonly (() => SessionEvent)[] = [
    () => ({ kind: 'start' }),
    () => ({ kind: 'timer', timer: dice.pick(TIMERS) }),
    () => ({ kind: 'timer', timer: dice.pick(TIMERS) }),
    () => ({ kind: 'reachable', member: dice.below(MEMBERS), reachable: dice.chance(0.4) }),
    () => ({ kind: 'masked', chunkHashes: Array.from({ length: CHUNKS }, () => dice.bytes(32)) }),
    () => ({
      kind: 'chunk-received',
      from: dice.below(MEMBERS),
      chunk,
      hash: dice.bytes(32),
      proof: [dice.bytes(32), dice.bytes(dice.below(40))],
    }),
    () => ({ kind: 'summed', sums: [{ chunk, hash: dice.bytes(32) }] }),
    () => ({ kind: 'sum-fetched', chunk, hash: dice.bytes(32) }),
    () => ({ kind: 'sum-missing', chunk, hash: dice.bytes(32) }),
    () => ({ kind: 'chunk-missing', from: dice.below(MEMBERS), chunk }),
    () => ({ kind: 'sums-tagged', tags: [{ chunk, hash: dice.bytes(32), tag: dice.bytes(32) }] }),
    () => ({ kind: 'chunks-tagged', tags: [{ chunk, of: 1, tag: dice.bytes(32) }] }),
    () => ({ kind: 'unmasked', result: 'x', inRange: dice.chance(0.5) }),
  ];
  return dice.pick(cases)();
}

test('no event in any state throws, and an ended session stays as it ended [S-21]', () => {
  const options = { members: MEMBERS, seed: 21, crashes: [] };
  const silent = { ...options, tamper: (from: number, m: SecaggMessage) => dropUnmask(from, m) };
  const real = [...sent(runCell(options).deeds), ...sent(runCell(silent).deeds)];
  const configs: readonly SessionConfig[] = [
    ...cellConfigs(options),
    ...cellConfigs({ ...options, protection: 'none' }),
  ];
  const ends = new Set<string>();
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const dice = createDice(seed);
      let state = createSession(dice.pick(configs));
      for (let i = 0; i < 120; i++) {
        const event = dice.chance(0.8) ? drawMessage(dice, real) : drawHostEvent(dice);
        const before = state.outcome;
        const next = step(state, event);
        if (before !== undefined) {
          expect(next.state.outcome).toBe(before);
          expect(next.effects).toEqual([]);
        }
        state = next.state;
      }
      ends.add(state.outcome?.kind ?? state.phase);
    }),
    { numRuns: 300, seed: 5 },
  );
  // The walk gets about: it does not only bounce off the first phase.
  expect(ends.size).toBeGreaterThan(3);
});

function dropUnmask(from: number, message: SecaggMessage): SecaggMessage | undefined {
  return from === 1 && message.kind === 'unmask' ? undefined : message;
}
