import { createGenerator } from '@starling/autodiff';
import { updateCodec } from '@starling/federation';
import { codecOf } from '@starling/rounds';
import { byteImages } from '@starling/trainer';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { labManifest } from '../job.ts';
import { clouds, tinyModel, tinySettings } from '../testing/tiny.ts';
import { backdoorTest, poisoned } from './data-attacks.ts';
import { unboundWords } from './unbound-words.ts';
import { craft, hiddenDeviations, normalQuantile } from './update-attacks.ts';

const numbers = fc.float32Array({
  ...{ minLength: 5, maxLength: 5, min: Math.fround(-3), max: Math.fround(3), noNaN: true },
});
const updates = fc.array(numbers, { minLength: 1, maxLength: 6 });

const fraction = 0.2;
const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, each, i) => sum + each * b[i]!, 0);
const collusion = (honest: readonly Float32Array[], participants = 20) => ({
  ...{ honest, participants, generator: createGenerator(1) },
});

test('a flipped sign points away from the honest update, as long as its scale says', () => {
  fc.assert(
    fc.property(updates, fc.integer({ min: 1, max: 9 }), (honest, scale) => {
      const sent = craft({ kind: 'sign-flip', fraction, scale }, honest[0]!, collusion(honest));
      expect(sent).toEqual(honest[0]!.map((value) => -scale * value));
    }),
  );
});

test('inner-product manipulation turns against the mean of what the colluders know', () => {
  fc.assert(
    fc.property(updates, (honest) => {
      const attack = { kind: 'inner-product', fraction, scale: 2 } as const;
      const sent = craft(attack, honest[0]!, collusion(honest));
      const mean = honest[0]!.map((_, i) => {
        return honest.reduce((sum, each) => sum + each[i]!, 0) / honest.length;
      });
      expect(dot(sent, mean)).toBeLessThanOrEqual(0);
      for (const [i, value] of sent.entries()) expect(value).toBeCloseTo(-2 * mean[i]!, 4);
    }),
  );
});

test('a little is enough: all colluders send the same, within the spread of honest updates', () => {
  fc.assert(
    fc.property(updates, (honest) => {
      const attack = { kind: 'little-is-enough', fraction, deviations: 1 } as const;
      const sent = honest.map((own) => craft(attack, own, collusion(honest)));
      for (const each of sent) expect(each).toEqual(sent[0]);
      for (const [i, value] of sent[0]!.entries()) {
        const values = honest.map((each) => each[i]!);
        const reach = Math.max(...values) - Math.min(...values) + 1e-5;
        expect(Math.abs(value - values[0]!)).toBeLessThanOrEqual(2 * reach);
      }
    }),
  );
});

test('how far a little may go: 24 of 50 workers, as in Baruch et al.', () => {
  // s = ⌊50/2 + 1⌋ − 24 = 2; (26 − 2)/26 of the honest lie below z.
  expect(hiddenDeviations(50, 24)).toBeCloseTo(normalQuantile(24 / 26), 6);
  expect(normalQuantile(0.975)).toBeCloseTo(1.959964, 4);
  expect(normalQuantile(0.5)).toBeCloseTo(0, 4);
});

test('replacement of one attacker makes the mean of all its own model', () => {
  const own = Float32Array.of(1, -2, 3, 0, 0.5);
  const attack = { kind: 'replacement', fraction, label: 0 } as const;
  expect(craft(attack, own, collusion([own], 20))).toEqual(own.map((value) => 20 * value));
});

test('a free rider sends nothing, or noise of the norm it was told', () => {
  const own = new Float32Array(10_000).fill(1);
  const send = (noise: number) =>
    craft({ kind: 'free-rider', fraction, noise }, own, collusion([own]));
  expect(send(0).every((value) => value === 0)).toBe(true);
  expect(Math.sqrt(dot(send(3), send(3)))).toBeCloseTo(3, 0);
});

test('an attacker is bounded by the grid alone: each coordinate, not the norm', () => {
  const manifest = labManifest(tinySettings(), clouds(40), tinyModel());
  const codec = codecOf(manifest);
  const grid = updateCodec(codec);
  const update = new Float32Array(6).fill(1e9);
  const effort = { examples: 5, localSteps: 1 };
  const input = { update, parameters: 6, effort, codec, seed: new Uint8Array(32) };
  const words = unboundWords(input).subarray(0, 6);
  expect([...words]).toEqual(new Array(6).fill(grid.valueMax));
});

const images = (count: number) =>
  byteImages({
    ...{ shape: [8, 8], pixels: new Uint8Array(64 * count), classes: 4 },
    labels: Int32Array.from({ length: count }, (_, i) => i % 4),
  });

test('flipped labels are those of attackers alone, and the set itself stays', () => {
  const set = images(8);
  const attack = { kind: 'label-flip', fraction } as const;
  const flipped = poisoned(set, attack, [Int32Array.of(0, 1)]);
  expect([...flipped.examples.targets!]).toEqual([3, 2, 2, 3, 0, 1, 2, 3]);
  expect([...set.examples.targets!]).toEqual([0, 1, 2, 3, 0, 1, 2, 3]);
});

test('a backdoor stamps a corner, and its test has no image of the class it opens', () => {
  const set = images(8);
  const attack = { kind: 'replacement', fraction, label: 2 } as const;
  const { examples } = poisoned(set, attack, [Int32Array.of(0, 1)]);
  const bright = [...examples.inputs.keys()].filter((i) => examples.inputs[i] === 255);
  // Half of the attacker's two images, four by four pixels, the last the corner.
  expect(bright.length).toBe(16);
  expect(bright.at(-1)).toBe(63);
  expect(examples.targets![0]).toBe(2);
  const tested = backdoorTest(set, 2);
  expect(tested.info.count).toBe(6);
  expect(new Set(tested.examples.targets)).toEqual(new Set([2]));
});
