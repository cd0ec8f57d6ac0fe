import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex, utf8 } from './bytes.ts';
import {
  bool,
  bytes,
  type Codec,
  type Decoded,
  decodeCanonical,
  encodeCanonical,
  f64,
  list,
  mapped,
  nullable,
  oneOf,
  struct,
  text,
  u32,
  union,
} from './codec.ts';
import { DecodeError, InvariantError } from './errors.ts';
import { LIMITS } from './limits.ts';

const MAX = LIMITS.controlBytesMax;

/** A type with every combinator in it. */
const sample = struct({
  count: u32(),
  small: u32(7),
  ratio: f64,
  flag: bool,
  hash: bytes(4),
  blob: bytes(0, 300),
  name: text(40),
  colour: oneOf(['red', 'green', 'blue']),
  maybe: nullable(u32(9)),
  hex: mapped(bytes(2), toHex, fromHex),
  tree: list(union({ leaf: struct({ value: f64 }), none: struct({}) }), 20),
});
type Sample = Decoded<typeof sample>;

const bytesOf = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });
const finite = fc
  .double({ noNaN: true, noDefaultInfinity: true })
  .map((value) => (value === 0 ? 0 : value));
// Whole code points: half a surrogate pair has no UTF-8.
const words = fc.string({ unit: 'grapheme', maxLength: 8 }).filter(({ length }) => length <= 40);
const samples: fc.Arbitrary<Sample> = fc.record({
  count: fc.nat(0xffffffff),
  small: fc.nat(7),
  ratio: fc.oneof(finite, fc.integer()),
  flag: fc.boolean(),
  hash: bytesOf(4, 4),
  blob: bytesOf(0, 300),
  name: words,
  colour: fc.constantFrom('red', 'green', 'blue'),
  maybe: fc.option(fc.nat(9)),
  hex: bytesOf(2, 2).map(toHex),
  tree: fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant('leaf' as const), value: finite }),
      fc.record({ kind: fc.constant('none' as const) }),
    ),
    { maxLength: 20, size: 'max' },
  ),
});

const decode = (encoded: Uint8Array) => decodeCanonical(sample, encoded, MAX);

/** Decodes to a value that encodes to the same bytes, or throws DecodeError: nothing else. */
function expectStrict(encoded: Uint8Array): boolean {
  let value: Sample;
  try {
    value = decode(encoded);
  } catch (error) {
    expect(error).toBeInstanceOf(DecodeError);
    return false;
  }
  expect(toHex(encodeCanonical(sample, value))).toBe(toHex(encoded));
  return true;
}

describe('round trips', () => {
  test('decode gives back what was encoded', () => {
    fc.assert(
      fc.property(samples, (value) => {
        expect(decode(encodeCanonical(sample, value))).toEqual(value);
      }),
      { numRuns: 500, seed: 1 },
    );
  });

  test('what is read does not hang on to the message, and the message stays as it was', () => {
    const encoded = encodeCanonical(bytes(3), new Uint8Array([1, 2, 3]));
    const copy = new Uint8Array(encoded);
    const value = decodeCanonical(bytes(3), encoded, MAX);
    expect(Object.keys(encoded)).toEqual(Object.keys(copy));
    encoded.fill(0);
    expect(value).toEqual(new Uint8Array([1, 2, 3]));
  });

  test('bytes in the middle of a larger buffer', () => {
    const encoded = encodeCanonical(bytes(3), new Uint8Array([1, 2, 3]));
    const framed = new Uint8Array(20);
    framed.set(encoded, 7);
    const inside = framed.subarray(7, 7 + encoded.length);
    expect(decodeCanonical(bytes(3), inside, MAX)).toEqual(new Uint8Array([1, 2, 3]));
  });

  test('text of any script has its shortest header', () => {
    const header = (length: number) => (length < 32 ? 1 : length < 256 ? 2 : 3);
    for (const letter of ['a', 'é', '€', '😀']) {
      for (let count = 0; count < 140; count++) {
        const value = letter.repeat(count);
        const size = utf8(value).length;
        expect(encodeCanonical(text(1_000), value)).toHaveLength(header(size) + size);
      }
    }
  });
});

describe('hostile bytes', () => {
  test('random ones decode strictly or not at all', () => {
    fc.assert(
      fc.property(bytesOf(0, 200), (encoded) => {
        expectStrict(encoded);
      }),
      { numRuns: 2_000, seed: 2 },
    );
  });

  test('good ones with bytes changed, dropped, doubled or added', () => {
    let survived = 0;
    const change = fc.record({
      at: fc.nat(500),
      kind: fc.constantFrom('set', 'drop', 'insert', 'double', 'cut'),
      // Lead bytes of MessagePack are the interesting ones.
      byte: fc.oneof(fc.nat(255), fc.integer({ min: 0xc0, max: 0xdf })),
    });
    fc.assert(
      fc.property(samples, fc.array(change, { minLength: 1, maxLength: 3 }), (value, changes) => {
        let encoded = [...encodeCanonical(sample, value)];
        for (const { at, kind, byte } of changes) {
          const place = at % Math.max(1, encoded.length);
          if (kind === 'set') encoded[place] = byte;
          else if (kind === 'drop') encoded.splice(place, 1);
          else if (kind === 'insert') encoded.splice(place, 0, byte);
          else if (kind === 'double') encoded.splice(place, 0, ...encoded.slice(place, place + 4));
          else encoded = encoded.slice(0, place);
        }
        if (expectStrict(Uint8Array.from(encoded))) survived++;
      }),
      { numRuns: 3_000, seed: 3 },
    );
    // Changed payload bytes are still a good message: the walk gets past the first field.
    expect(survived).toBeGreaterThan(100);
  });

  const any: Codec<unknown> = { write: () => null, read: (wire) => wire };
  const refuse = (hex: string, why: string) =>
    expect(() => decodeCanonical(any, fromHex(hex), MAX)).toThrow(
      expect.objectContaining({ name: 'DecodeError', message: expect.stringContaining(why) }),
    );

  test.each([
    ['nothing', '', 'ends early'],
    ['two values', 'c0c0', 'after the end'],
    ['a fixed map', '80', 'subset'],
    ['a map of 2^32 − 1 pairs', 'dfffffffff', 'subset'],
    ['a map that sets __proto__', '81a95f5f70726f746f5f5fc0', 'subset'],
    ['fixed extensions', 'd40100', 'subset'],
    ['a record definition of msgpackr', 'd4724090', 'subset'],
    ['a long extension', 'c9ffffffff01', 'subset'],
    ['the reserved byte', 'c1', 'subset'],
    ['float 32', 'ca3f800000', 'subset'],
    ['unsigned 64', 'cfffffffffffffffff', 'subset'],
    ['signed 64', 'd38000000000000000', 'subset'],
    ['text with a 32-bit length', 'db00000001aa', 'subset'],
    ['a list with a 32-bit length', 'ddffffffff', 'subset'],
    ['a list without its items', 'dcffff', 'ends early'],
    ['bytes that are not there', 'c6ffffffff', 'ends early'],
    ['text that is not there', 'daffff61', 'ends early'],
    ['a length cut in two', 'c600', 'ends early'],
    ['a float cut in two', 'cb0000', 'ends early'],
    ['a deep nest', `${'91'.repeat(5_000)}c0`, 'nested too deep'],
    ['a wide nest', `dc8000${'90'.repeat(32_768)}`, 'too many items'],
  ])('%s', (_, hex, why) => refuse(hex, why));

  test('what is larger than allowed is not even scanned', () => {
    const huge = new Uint8Array(MAX + 1).fill(0x91);
    expect(() => decodeCanonical(any, huge, MAX)).toThrow('at most 65536');
  });
});

describe('each type refuses what is not its own', () => {
  const cases: readonly (readonly [string, Codec<unknown>, string])[] = [
    ['u32: a float', u32() as Codec<unknown>, 'cb3fe0000000000000'],
    ['u32: beyond its limit', u32(7) as Codec<unknown>, '08'],
    ['u32: below zero', u32() as Codec<unknown>, 'ff'],
    ['u32: one as a float', u32() as Codec<unknown>, 'cb3ff0000000000000'],
    ['f64: NaN', f64 as Codec<unknown>, 'cb7ff8000000000000'],
    ['f64: infinity', f64 as Codec<unknown>, 'cb7ff0000000000000'],
    ['f64: minus zero', f64 as Codec<unknown>, 'cb8000000000000000'],
    ['bool: one', bool as Codec<unknown>, '01'],
    ['bytes: text', bytes(1) as Codec<unknown>, 'a161'],
    ['bytes: too short', bytes(2) as Codec<unknown>, 'c40100'],
    ['text: bytes', text(3) as Codec<unknown>, 'c40161'],
    ['text: too long', text(3) as Codec<unknown>, 'a461616161'],
    ['text: not UTF-8', text(3) as Codec<unknown>, 'a1ff'],
    ['list: too long', list(u32(), 1) as Codec<unknown>, '920000'],
    ['list: nil', list(u32(), 1) as Codec<unknown>, 'c0'],
    ['struct: a field less', struct({ a: u32(), b: u32() }) as Codec<unknown>, '9100'],
    ['union: an unknown kind', union({ a: struct({}) }) as Codec<unknown>, '920190'],
    ['union: without fields', union({ a: struct({}) }) as Codec<unknown>, '9100'],
    ['oneOf: an unknown name', oneOf(['a']) as Codec<unknown>, '01'],
  ];
  test.each(cases)('%s', (_, codec, hex) => {
    expect(() => decodeCanonical(codec, fromHex(hex), MAX)).toThrow(DecodeError);
  });

  test('the error names the field', () => {
    const codec = struct({ peers: list(struct({ age: u32(9) }), 4) });
    expect(() => decodeCanonical(codec, fromHex('9192910191cc80'), MAX)).toThrow(
      'message.peers[1].age: expected an integer in 0…9',
    );
  });
});

describe('what we may not write is our bug', () => {
  test.each([
    ['u32', () => encodeCanonical(u32(7), 8)],
    ['u32 of a fraction', () => encodeCanonical(u32(7), 0.5)],
    ['f64', () => encodeCanonical(f64, Number.NaN)],
    ['bytes', () => encodeCanonical(bytes(2), new Uint8Array(3))],
    ['text', () => encodeCanonical(text(1), 'ab')],
    ['list', () => encodeCanonical(list(u32(), 1), [1, 2])],
    ['oneOf', () => encodeCanonical(oneOf(['a']), 'b' as 'a')],
  ])('%s', (_, write) => {
    expect(write).toThrow(InvariantError);
  });

  test('minus zero is written as zero', () => {
    expect(toHex(encodeCanonical(f64, -0))).toBe('00');
  });
});
