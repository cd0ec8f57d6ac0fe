import type { Transport } from '@starling/core';
import { CHUNK_PROTOCOL } from '@starling/protocol-secagg';
import type { Prng } from './prng.ts';

/** What a dishonest peer does on the wire; its own code runs as usual behind it. */
export const BEHAVIOURS = ['mute-after-join', 'garbage', 'corrupt-chunks'] as const;
export type Behaviour = (typeof BEHAVIOURS)[number];

/** Messages a mute peer still sends: its JOIN, and its share bundle. */
const MUTE_AFTER = 3;

/** A transport through which only what the behaviour lets through goes out. */
export function corrupted(transport: Transport, behaviour: Behaviour, prng: Prng): Transport {
  let sent = 0;
  const noise = (length: number) => Uint8Array.from({ length }, () => prng.below(256));
  const flipped = (bytes: Uint8Array) => bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte));
  return {
    ...transport,
    publish: async (topic, message) => {
      sent += 1;
      if (behaviour === 'mute-after-join' && sent > MUTE_AFTER) return;
      await transport.publish(topic, message);
      if (behaviour === 'garbage') await transport.publish(topic, noise(1 + prng.below(200)));
    },
    request: async (to, protocol, parcel, options) => {
      if (behaviour === 'garbage') {
        const junk = { header: noise(40), body: noise(40) };
        await transport.request(to, protocol, junk, options).catch(() => undefined);
      }
      const lies = behaviour === 'corrupt-chunks' && protocol === CHUNK_PROTOCOL;
      const sentParcel = lies ? { header: parcel.header, body: flipped(parcel.body) } : parcel;
      return transport.request(to, protocol, sentParcel, options);
    },
  };
}
