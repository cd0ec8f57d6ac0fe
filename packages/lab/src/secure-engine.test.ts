import { decodeState } from '@starling/federation';
import { inlineCompute } from '@starling/node';
import { sumInto } from '@starling/secagg';
import { expect, test } from 'vitest';
import { openRun } from './lab-run.ts';
import { plainRound } from './plain-engine.ts';
import { secureRun } from './secure-engine.ts';
import { clouds, tinyModel, tinySettings } from './testing/tiny.ts';

const ROUNDS = 3;

function inputOf(engine: 'plain' | 'secure', aggregation: object = {}) {
  const given = { clients: 5, training: { batchSize: 8 }, stop: { rounds: ROUNDS }, engine };
  const settings = tinySettings({ ...given, aggregation: { clippingNorm: 4, ...aggregation } });
  return { settings, seed: 6, data: clouds(200), model: tinyModel(), threads: 1 };
}

test('the states that peers certify are those of the plain sums of the same words', async () => {
  const input = inputOf('secure');
  const run = await openRun(input);
  const words = new Map<number, Uint32Array[]>();
  const states: Uint8Array[] = [];
  await secureRun(run, input.model, {
    onInput: (_client, round, input) =>
      words.set(round, [...(words.get(round) ?? []), input.slice()]),
    onState: async ({ state }) => {
      states.push(state);
      return undefined;
    },
  });
  expect(states.length).toBe(ROUNDS);
  let before = run.initial;
  for (const [i, state] of states.entries()) {
    const inputs = words.get(i + 1)!;
    expect(inputs.length).toBe(5);
    const total = new Uint32Array(inputs[0]!.length);
    for (const each of inputs) sumInto(total, each);
    const cells = [{ words: total, survivors: 5 }];
    const plain = await inlineCompute.run('apply', {
      state: before.slice(),
      cells,
      codec: run.codec,
    });
    expect(Buffer.compare(plain.state, state)).toBe(0);
    before = state;
  }
  await run.close();
});

test.each([
  {},
  // What a peer keeps on its disk, a virtual client keeps in memory.
  { algorithm: 'scaffold', referenceSteps: 5 },
  { rotation: 'hadamard' },
  { errorFeedback: true },
  { clippingNorm: 40, errorFeedback: true },
  { rotation: 'hadamard', errorFeedback: true },
])('both engines come to the same model, but for rounding, with %j', async (aggregation) => {
  const secure = await openRun(inputOf('secure', aggregation));
  let last = secure.initial;
  await secureRun(secure, tinyModel(), {
    onState: async ({ state }) => {
      last = state;
      return undefined;
    },
  });
  await secure.close();
  const plain = await openRun(inputOf('plain', aggregation));
  let state = plain.initial;
  for (let round = 1; round <= ROUNDS; round++)
    state = (await plainRound(plain, state, round)).state;
  await plain.close();
  const [a, b] = [decodeState(last).model, decodeState(state).model];
  for (const [i, value] of a.entries()) expect(b[i]).toBeCloseTo(value, 3);
});

test('a run stops when what it tells of says so', async () => {
  const run = await openRun(inputOf('secure'));
  const rounds: number[] = [];
  await secureRun(run, tinyModel(), {
    onState: async ({ round, survivors, bytesPerPeer }) => {
      rounds.push(round);
      expect(survivors).toBe(5);
      expect(bytesPerPeer).toBeGreaterThan(0);
      return round === 2 ? 'stop' : undefined;
    },
  });
  await run.close();
  expect(rounds).toEqual([1, 2]);
});

test('attacks on updates are refused, and the message says where they work', async () => {
  const input = inputOf('secure');
  const attack = { kind: 'sign-flip', fraction: 0.2, scale: 1 } as const;
  const run = await openRun({ ...input, settings: { ...input.settings, attack } });
  const started = secureRun(run, input.model, { onState: async () => undefined });
  await expect(started).rejects.toThrow(
    /sign-flip is not in the secure engine. Choose engine plain/,
  );
  await run.close();
});
