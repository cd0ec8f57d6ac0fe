import './polyfill.ts';
import { noise } from '@chainsafe/libp2p-noise';
import type { Stream } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { createLibp2p } from 'libp2p';

export interface RawLink {
  /** Sends `bytes` so often, and resolves when all of it has come. */
  send(bytes: Uint8Array, times: number): Promise<void>;
  stop(): Promise<void>;
}

const PROTOCOL = '/starling/raw/1';
const UNSENT_MAX = 1024 * 1024;

/**
 * One bare stream between two libp2p nodes on loopback, with the transport, cipher and muxer that a
 * swarm has and nothing else: what a benchmark compares Starling's streams with.
 */
export async function rawLink(): Promise<RawLink> {
  const node = (listen: readonly string[]) =>
    createLibp2p({
      addresses: { listen: [...listen] },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
    });
  const [receiver, sender] = await Promise.all([node(['/ip4/127.0.0.1/tcp/0']), node([])]);
  let left = 0;
  let finish: () => void = () => {};
  await receiver.handle(PROTOCOL, (stream) => {
    stream.addEventListener('message', ({ data }) => {
      left -= data.byteLength;
      if (left <= 0) finish();
    });
  });
  const stream = await sender.dialProtocol(receiver.getMultiaddrs(), PROTOCOL);
  return {
    async send(bytes, times) {
      left = bytes.length * times;
      const done = new Promise<void>((resolve) => {
        finish = resolve;
      });
      for (let i = 0; i < times; i++) {
        stream.send(bytes);
        while (stream.writeBufferLength > UNSENT_MAX) await drained(stream);
      }
      await done;
    },
    async stop() {
      await Promise.all([sender.stop(), receiver.stop()]);
    },
  };
}

const drained = (stream: Stream): Promise<void> =>
  new Promise((resolve) => {
    const settle = (): void => {
      stream.removeEventListener('drain', settle);
      stream.removeEventListener('idle', settle);
      resolve();
    };
    stream.addEventListener('drain', settle);
    stream.addEventListener('idle', settle);
  });
