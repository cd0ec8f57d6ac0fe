/** Inputs that are small and ask for much. What they may cost is counted, never timed. */
import {
  bytes,
  type Codec,
  DecodeError,
  decodeCanonical,
  LIMITS,
  list,
  mapped,
  unpackWire,
} from '@starling/core';
import { describe, expect, test } from 'vitest';
import { HOSTILE } from './hostile-values.ts';
import { countItems } from './targets-wire.ts';

const MIB = 1024 * 1024;
const nested = (depth: number, inner: readonly number[] = [0xc0]): Uint8Array =>
  Uint8Array.from([...new Array<number>(depth).fill(0x91), ...inner]);
/** A list of `count` nils in lists of 65,535. */
const nils = (count: number): Uint8Array => {
  const head = [0xdc, (count >> 8) & 255, count & 255];
  return Uint8Array.from([...head, ...new Array<number>(count).fill(0xc0)]);
};

/** Bytes of array buffers that `run` takes; a collection in between only makes it less. */
function buffersTakenBy(run: () => void): number {
  const before = process.memoryUsage().arrayBuffers;
  run();
  return process.memoryUsage().arrayBuffers - before;
}

test('nesting beyond the limit is refused, whatever is inside', () => {
  expect(unpackWire(nested(LIMITS.codecDepthMax - 1))).toBeDefined();
  for (const depth of [LIMITS.codecDepthMax, 1_000, 60_000]) {
    expect(() => unpackWire(nested(depth))).toThrow('nested too deep');
  }
});

test('items beyond the limit are refused before anything is built', () => {
  expect(countItems(unpackWire(nils(LIMITS.codecItemsMax - 1)))).toBe(LIMITS.codecItemsMax);
  expect(() => unpackWire(nils(LIMITS.codecItemsMax))).toThrow('too many items');
});

describe('lengths of gigabytes', () => {
  const leads: readonly (readonly [name: string, lead: number, prefix: number])[] = [
    ['bin 32', 0xc6, 4],
    ['str 32', 0xdb, 4],
    ['array 32', 0xdd, 4],
    ['map 32', 0xdf, 4],
    ['ext 32', 0xc9, 5],
    ['array 16', 0xdc, 2],
    ['bin 16', 0xc5, 2],
  ];
  test.each(leads)('%s', (_, lead, prefix) => {
    for (const top of [0x7f, 0x80, 0xff]) {
      const bomb = Uint8Array.from([lead, top, ...new Array<number>(prefix - 1).fill(0xff)]);
      for (const frame of [bomb, nested(3, [...bomb])]) {
        const taken = buffersTakenBy(() => {
          expect(() => unpackWire(frame)).toThrow(DecodeError);
        });
        expect(taken).toBeLessThan(MIB);
      }
    }
  });
});

test('no value from outside the subset gets through, alone or in a list', () => {
  const passed = HOSTILE.filter((value) => {
    try {
      unpackWire(Uint8Array.from([0x91, ...value]));
      return true;
    } catch (error) {
      expect(error).toBeInstanceOf(DecodeError);
      return false;
    }
  });
  const leads = passed.map((value) => value[0]!);
  for (const lead of [...Array.from({ length: 16 }, (_, i) => 0x80 + i), 0xcf, 0xd3, 0xca, 0xc1]) {
    expect(leads).not.toContain(lead);
  }
  expect('polluted' in {}).toBe(false);
});

test('a codec reads each item of a message once, and none beyond its list’s limit', () => {
  let reads = 0;
  const counted: Codec<Uint8Array> = mapped(
    bytes(0),
    (value) => {
      reads += 1;
      return value;
    },
    (value) => value,
  );
  const frame = (items: number) =>
    Uint8Array.from([0xdc, items >> 8, items & 255, ...new Array(items).fill([0xc4, 0]).flat()]);
  decodeCanonical(list(counted, 500), frame(500), MIB);
  expect(reads).toBe(500);
  expect(() => decodeCanonical(list(counted, 500), frame(501), MIB)).toThrow('at most 500 items');
  expect(reads).toBe(500);
});
