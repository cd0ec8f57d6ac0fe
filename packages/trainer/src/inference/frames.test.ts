import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ANSWER_BYTES_MAX, type Frame, FrameReader, frameStart, tensorsOf } from './frames.ts';

test('frames are the same however their bytes are cut', () => {
  const frame = fc.tuple(fc.string(), fc.uint8Array({ maxLength: 40 }));
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 40 }),
      (frames, cuts) => {
        const sent = frames.map(([text, body]) => [frameStart({ text }, body.length), body]);
        const bytes = Buffer.concat(sent.flat());
        const seen: Frame<{ text: string }>[] = [];
        const reader = new FrameReader<{ text: string }>((each) => seen.push(each));
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const length = cuts[i % cuts.length]!;
          reader.push(bytes.subarray(at, at + length));
          at += length;
        }
        const found = seen.map(({ header, body }) => [header.text, new Uint8Array(body)]);
        expect(found).toEqual(frames.map(([text, body]) => [text, new Uint8Array(body)]));
      },
    ),
  );
});

test('headers end where tensors are aligned', () => {
  for (let i = 0; i < 20; i++) expect(frameStart('x'.repeat(i), 0).length % 8).toBe(0);
});

test('a length that no child may send is refused before memory is taken', () => {
  const reader = new FrameReader(() => {});
  expect(() => reader.push(frameStart({}, ANSWER_BYTES_MAX + 1))).toThrow(/a frame of/);
});

test('tensors that a body does not hold are refused by name', () => {
  const header = { name: 'y', dtype: 'float64', shape: [3] } as const;
  expect(tensorsOf([header], new Uint8Array(24))[0]!.bytes).toHaveLength(24);
  expect(() => tensorsOf([header, header], new Uint8Array(40))).toThrow(/"y" is cut short/);
  const strange = { ...header, dtype: 'text' as 'int8' };
  expect(() => tensorsOf([strange], new Uint8Array(24))).toThrow(/cut short/);
});
