import type { JobId } from '@starling/core';
import type { Envelope } from '@starling/protocol-rounds';
import { CHUNK_PROTOCOL, REVISION_MAX } from '@starling/protocol-secagg';
import { roundIdOf } from '@starling/rounds';
import { toBitmap } from '@starling/secagg';
import {
  type Adversary,
  envelopeIn,
  flipped,
  messageIn,
  resealed,
  rewriting,
  sealedMessage,
} from './wire.ts';

/** Random bytes beside everything it says, on every protocol. */
export const garbage: Adversary = ({ transport, prng, onDeed }) => {
  const noise = (length: number) => Uint8Array.from({ length }, () => prng.below(256));
  return {
    ...transport,
    publish: async (topic, message) => {
      await transport.publish(topic, message);
      onDeed();
      await transport.publish(topic, noise(1 + prng.below(200)));
    },
    request: async (to, protocol, parcel, options) => {
      const junk = { header: noise(40), body: noise(40) };
      await transport.request(to, protocol, junk, options).catch(() => undefined);
      return transport.request(to, protocol, parcel, options);
    },
  };
};

/** Chunks that do not fit its COMMIT. */
export const corruptChunks: Adversary = ({ transport, onDeed }) => ({
  ...transport,
  request: (to, protocol, parcel, options) => {
    if (protocol !== CHUNK_PROTOCOL) return transport.request(to, protocol, parcel, options);
    onDeed();
    const lie = { header: parcel.header, body: flipped(parcel.body) };
    return transport.request(to, protocol, lie, options);
  },
});

const HEARD_MAX = 400;
const REPLAYED = 3;
const contextOf = ({ roundId, attempt }: Envelope): string => `${roundId}/${attempt}`;

/** With everything it says, some of what anybody said in other rounds and attempts. */
export const replay: Adversary = ({ transport, prng, onDeed }) => {
  const heard: { readonly context: string; readonly bytes: Uint8Array }[] = [];
  const remember = (bytes: Uint8Array) => {
    const envelope = envelopeIn(bytes);
    if (envelope === undefined) return undefined;
    heard.push({ context: contextOf(envelope), bytes });
    if (heard.length > HEARD_MAX) heard.splice(prng.below(heard.length), 1);
    return contextOf(envelope);
  };
  return {
    ...transport,
    subscribe: (topic, handle) =>
      transport.subscribe(topic, (bytes, from) => {
        remember(bytes);
        handle(bytes, from);
      }),
    publish: async (topic, bytes) => {
      const now = remember(bytes);
      await transport.publish(topic, bytes);
      const old = heard.filter(({ context }) => context !== now);
      for (let i = 0; now !== undefined && i < REPLAYED && old.length > 0; i++) {
        onDeed();
        await transport.publish(topic, prng.pick(old).bytes);
      }
    },
  };
};

const FLOOD_ATTEMPTS = 24;
const FLOOD_RESTARTS = 0;

/** JOINs for slots that nobody is in: later attempts, and restarts that never were. */
export const floodJoins: Adversary = (wire) =>
  rewriting(wire, (envelope, topic) => {
    const { body } = envelope;
    if (body.kind !== 'join') return [envelope];
    const job = topic.slice(topic.lastIndexOf('/') + 1) as JobId;
    const flood: Envelope[] = [];
    for (let more = 0; more <= FLOOD_RESTARTS; more++) {
      const restarts = body.restarts + more;
      const roundId = roundIdOf(job, body.parent, body.round, restarts);
      for (let attempt = 1; attempt <= FLOOD_ATTEMPTS; attempt++) {
        const at = { ...envelope, roundId, attempt: envelope.attempt + attempt };
        flood.push(resealed(wire, at, { ...body, restarts }));
      }
    }
    return [envelope, ...flood];
  });

/** Complains about every dealer and every owner, as often as it may. */
export const complaintSpam: Adversary = (wire) =>
  rewriting(wire, (envelope) => {
    const message = messageIn(envelope);
    // Its own complaints would be a second message in a slot, and give it away.
    if (message?.kind === 'complaint') return [];
    if (message?.kind !== 'keyshare') return [envelope];
    const size = message.dealt.length;
    const all = toBitmap(Array(size).keys(), size);
    const spam = Array.from({ length: REVISION_MAX + 1 }, (_, revision) =>
      sealedMessage(wire, envelope, { kind: 'complaint', revision, dealers: all, owners: all }),
    );
    return [envelope, ...spam];
  });

/** A signature under the certificate that is none. */
export const wrongFinal: Adversary = (wire) =>
  rewriting(wire, (envelope) => {
    const { body } = envelope;
    if (body.kind !== 'final') return [envelope];
    return [resealed(wire, envelope, { ...body, signature: flipped(body.signature) })];
  });
