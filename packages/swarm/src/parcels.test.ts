import { LIMITS, u32be } from '@starling/core';
import { Uint8ArrayList } from 'uint8arraylist';
import { expect, test } from 'vitest';
import { ReceivedFrame } from './framed-stream.ts';
import { readMessage } from './parcels.ts';

const HEADER = 1;
const BODY = 2;
const MIB = 1024 * 1024;

test('a declared size takes no memory before its bytes are here [B-5]', async () => {
  const taken: number[] = [];
  const before = process.memoryUsage().arrayBuffers;
  const frames = 12;
  const next = async (): Promise<ReceivedFrame | undefined> => {
    taken.push(process.memoryUsage().arrayBuffers - before);
    if (taken.length > frames) return undefined;
    return new ReceivedFrame(BODY, new Uint8ArrayList(new Uint8Array(256 * 1024)));
  };
  const first = new ReceivedFrame(HEADER, new Uint8ArrayList(u32be(LIMITS.bodyBytesMax)));
  const reading = readMessage(first, { bodyBytesMax: LIMITS.bodyBytesMax, next });
  await expect(reading).rejects.toThrow(`broke off after ${3 * MIB} of ${LIMITS.bodyBytesMax}`);
  expect(taken[0]).toBeLessThan(2 * MIB);
  // The buffer doubles, its predecessors and the payloads may not be collected yet.
  expect(Math.max(...taken)).toBeLessThan(16 * MIB);
});
