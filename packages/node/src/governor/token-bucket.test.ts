import type { PeerId } from '@starling/core';
import { expect, test } from 'vitest';
import { VirtualTime } from '../../../sim/src/virtual-time.ts';
import { TokenBucket } from './token-bucket.ts';

const [a, b] = ['a', 'b'] as [PeerId, PeerId];

function scene(first: number | undefined) {
  const time = new VirtualTime();
  let rate = first;
  const bucket = new TokenBucket({ clock: time.clock(() => true), rate: () => rate });
  const gone: { readonly peer: PeerId; readonly at: number }[] = [];
  const send = async (peer: PeerId, bytes: number, signal?: AbortSignal) => {
    await bucket.take(bytes, peer, signal);
    gone.push({ peer, at: time.now });
  };
  const set = (next: number | undefined) => {
    rate = next;
    bucket.poke();
  };
  const drain = async () => {
    while (await time.step());
  };
  return { time, bucket, send, gone, set, drain };
}

test.each([1_000, 64_000, 5_000_000])(
  '%i bytes a second are kept in every second',
  async (rate) => {
    const { send, gone, drain } = scene(rate);
    const frame = rate / 10;
    const all = Array.from({ length: 60 }, (_, i) => send(i % 3 === 0 ? a : b, frame));
    await drain();
    await Promise.all(all);
    for (const { at } of gone) {
      const inSecond = gone.filter((other) => other.at >= at && other.at < at + 1000).length;
      // The burst, the second's own, and the frame that goes into debt.
      expect(inSecond * frame).toBeLessThanOrEqual(1.25 * rate + frame);
    }
    // And it is used: no more than the first burst is missing from the time it takes.
    expect(gone.at(-1)!.at).toBeLessThanOrEqual(6_000);
    expect(gone.at(-1)!.at).toBeGreaterThanOrEqual(5_500);
  },
);

test('a peer with many streams gets no more than one with a single one', async () => {
  const { send, gone, drain } = scene(10_000);
  const many = Array.from({ length: 40 }, () => send(a, 1_000));
  const few = (async () => {
    for (let i = 0; i < 10; i++) await send(b, 1_000);
  })();
  await drain();
  await Promise.all([...many, few]);
  const last = gone.findLastIndex(({ peer }) => peer === b);
  const before = gone.slice(0, last).filter(({ peer }) => peer === a).length;
  // Those of the first burst go before `b` has asked.
  expect(before).toBeLessThanOrEqual(10 + 4);
});

test('without a cap nothing waits, and a cap that comes or goes counts at once', async () => {
  const { time, bucket, send, gone, set, drain } = scene(undefined);
  expect(bucket.take(1e9, a)).toBeUndefined();
  set(1_000);
  const first = send(a, 5_000);
  const waiting = send(a, 1);
  await time.step();
  await first;
  const late = send(b, 1);
  set(undefined);
  await Promise.all([waiting, late]);
  expect(gone.map(({ peer }) => peer)).toEqual([a, a, b]);
  expect(time.now).toBeLessThanOrEqual(5_000);
  await drain();
});

test('who gives up waiting leaves its turn to the next', async () => {
  const { bucket, send, drain, gone } = scene(1_000);
  bucket.charge(2_000);
  const over = new AbortController();
  const first = send(a, 1_000, over.signal);
  const second = send(a, 10);
  over.abort(new Error('late'));
  await expect(first).rejects.toThrow('late');
  await expect(send(b, 1, over.signal)).rejects.toThrow('late');
  await drain();
  await second;
  expect(gone).toEqual([{ peer: a, at: 1_751 }]);
});

test('bytes that could not wait make the others wait', async () => {
  const { time, bucket, send, drain } = scene(1_000);
  bucket.charge(10_000);
  const sent = send(a, 1);
  await drain();
  await sent;
  expect(time.now).toBeGreaterThanOrEqual(9_750);
  expect(bucket.report()).toEqual({ perSecond: Math.round(10_001_000 / time.now), total: 10_001 });
});
