import type { Parcel, PeerId, Transport } from '@starling/core';
import { expect, test } from 'vitest';
import { metered } from './metered.ts';

const of = (length: number): Uint8Array => new Uint8Array(length);
const parcel = (header: number, body: number): Parcel => ({ header: of(header), body: of(body) });

/** A transport that keeps its handlers, to be called by the test. */
function bareTransport() {
  const heard: ((message: Uint8Array, from: PeerId) => void)[] = [];
  const served: ((parcel: Parcel, from: PeerId) => Promise<Parcel>)[] = [];
  const transport: Transport = {
    self: 'self' as PeerId,
    peers: () => ['other' as PeerId],
    onPeerChange: () => () => {},
    publish: async () => {},
    subscribe: (_topic, handle) => {
      heard.push(handle);
      return () => {};
    },
    request: async () => parcel(3, 400),
    handle: (_protocol, answer) => void served.push(answer),
    provide: async () => {},
    findProviders: async () => ['found' as PeerId],
  };
  return { transport, heard, served };
}

test('counts what leaves and what arrives, in gossip, requests and answers', async () => {
  const { transport: inner, heard, served } = bareTransport();
  const { transport, traffic } = metered(inner);
  const from = 'other' as PeerId;
  expect(traffic()).toEqual({ bytesOut: 0, bytesIn: 0 });

  await transport.publish('topic', of(10));
  expect(traffic()).toEqual({ bytesOut: 10, bytesIn: 0 });

  const messages: number[] = [];
  transport.subscribe('topic', (message) => messages.push(message.length));
  heard[0]!(of(7), from);
  expect(messages).toEqual([7]);
  expect(traffic()).toEqual({ bytesOut: 10, bytesIn: 7 });

  expect(await transport.request(from, 'p', parcel(5, 20), { timeoutMs: 1 })).toEqual(
    parcel(3, 400),
  );
  expect(traffic()).toEqual({ bytesOut: 35, bytesIn: 410 });

  transport.handle('p', async () => parcel(1, 1_000));
  await served[0]!(parcel(2, 8), from);
  expect(traffic()).toEqual({ bytesOut: 1_036, bytesIn: 420 });
});

test('passes everything else on', async () => {
  const { transport } = metered(bareTransport().transport);
  expect(transport.self).toBe('self');
  expect(transport.peers()).toEqual(['other']);
  expect(await transport.findProviders(of(32), { timeoutMs: 1 })).toEqual(['found']);
});
