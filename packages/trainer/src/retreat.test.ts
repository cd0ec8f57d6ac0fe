import { ProtocolError } from '@starling/core';
import { expect, test } from 'vitest';
import { ON_CPU, type Place } from './device.ts';
import { retreatFrom } from './retreat.ts';

const half: Place = { device: 'webgpu', precision: 'float16' };
const full: Place = { device: 'webgpu', precision: 'float32' };
const failed = (code: string) => new ProtocolError(code, 'something');

test('numbers that float16 lost come again in float32, from the start', () => {
  expect(retreatFrom(half, failed('not-finite'))).toEqual({
    ...{ place: full, startsAgain: true },
    words: 'the job left the range of float16 and goes on in float32',
  });
});

test.each(['device-failed', 'trainer-died'])('%s leads to the CPU', (code) => {
  for (const place of [half, full]) {
    expect(retreatFrom(place, failed(code))).toEqual({
      ...{ place: ON_CPU, startsAgain: false },
      words: 'the job failed on webgpu and goes on on the CPU',
    });
  }
});

test('what no place is to blame for stays', () => {
  expect(retreatFrom(full, failed('not-finite'))).toBeUndefined();
  expect(retreatFrom(half, failed('job-limit'))).toBeUndefined();
  expect(retreatFrom(half, new Error('device-failed'))).toBeUndefined();
  expect(retreatFrom(ON_CPU, failed('trainer-died'))).toBeUndefined();
});
