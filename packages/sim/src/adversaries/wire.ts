import {
  type Clock,
  decodeCanonical,
  encodeCanonical,
  millis,
  type Parcel,
  type PeerId,
  type Transport,
} from '@starling/core';
import { hashHex, type SigningKey } from '@starling/crypto';
import { type Wire as NodeWire, plainWire } from '@starling/node';
import {
  type Body,
  type Envelope,
  gossipCodec,
  SYNC_ANSWER_BYTES_MAX,
  SYNC_PROTOCOL,
  sealEnvelope,
  syncAnswerCodec,
} from '@starling/protocol-rounds';
import {
  decodeMessage,
  encodeMessage,
  type MessageOf,
  type SecaggMessage,
} from '@starling/protocol-secagg';
import type { SimTransport } from '../network.ts';
import type { Prng } from '../prng.ts';

/** What a dishonest peer has: its connection, its own key, and chance. */
export interface Wire {
  readonly transport: SimTransport;
  readonly key: SigningKey;
  readonly prng: Prng;
  readonly clock: Clock;
  /** Called for every lie told, so that a run can tell whether there was any. */
  readonly onDeed: () => void;
}

/** The transport that a dishonest peer's own, honest code is given. */
export type Adversary = (wire: Wire) => Transport;

/** What goes out instead of an envelope: to everybody, or to each half of the swarm another. */
type Said = readonly Envelope[] | { readonly halves: readonly [Envelope, Envelope] };
export type Rewrite = (envelope: Envelope, topic: string) => Said | Promise<Said>;

/** The envelope in a gossip message; undefined when there is none, or its signature is wrong. */
export function envelopeIn(
  bytes: Uint8Array,
  { gossip }: NodeWire = plainWire,
): Envelope | undefined {
  try {
    const heard = gossip(bytes);
    return heard?.kind === 'envelope' ? heard.envelope : undefined;
  } catch {
    return undefined;
  }
}

const gossipOf = ({ bytes }: Envelope): Uint8Array =>
  encodeCanonical(gossipCodec, { kind: 'envelope', bytes });

/** The same place in the protocol, other words, under the liar's own signature. */
export const resealed = ({ key }: Wire, at: Envelope, body: Body): Envelope =>
  sealEnvelope({ roundId: at.roundId, attempt: at.attempt, roster: at.roster }, body, key);

export const sealedMessage = (wire: Wire, at: Envelope, message: SecaggMessage): Envelope =>
  resealed(wire, at, {
    kind: at.body.kind === 'assembly' ? 'assembly' : 'session',
    message: encodeMessage(message),
  });

export const messageIn = ({ body }: Envelope): SecaggMessage | undefined =>
  body.kind === 'session' || body.kind === 'assembly' ? decodeMessage(body.message) : undefined;

/** Changes what the peer says itself, in gossip and in answers to pulls alike. */
export function rewriting(wire: Wire, rewrite: Rewrite): Transport {
  const { transport, onDeed } = wire;
  /** Hash of the honest envelope → what was said instead, so that all who pull hear the same. */
  const spoken = new Map<string, Said>();
  const halfOf = splitter(transport);

  const publish = async (topic: string, bytes: Uint8Array) => {
    const envelope = envelopeIn(bytes);
    if (envelope === undefined) return transport.publish(topic, bytes);
    const said = await rewrite(envelope, topic);
    if (!('halves' in said) && said.length === 1 && said[0] === envelope)
      return transport.publish(topic, bytes);
    spoken.set(envelope.hash, said);
    onDeed();
    if (!('halves' in said)) {
      for (const each of said) await transport.publish(topic, gossipOf(each));
      return undefined;
    }
    for (const half of [0, 1] as const) {
      const peers = new Set(transport.peers().filter((peer) => halfOf(peer) === half));
      await transport.publishTo(peers, topic, gossipOf(said.halves[half]));
    }
    return undefined;
  };

  const served = (bytes: Uint8Array, to: PeerId): readonly Uint8Array[] => {
    const said = spoken.get(hashHex(bytes));
    if (said === undefined) return [bytes];
    const envelopes = 'halves' in said ? [said.halves[halfOf(to)]] : said;
    return envelopes.map((envelope) => envelope.bytes);
  };
  const answering = answers({ ...transport, publish }, SYNC_PROTOCOL, (parcel, { from }) => {
    const answer = decodeCanonical(syncAnswerCodec, parcel.body, SYNC_ANSWER_BYTES_MAX);
    if (answer.kind !== 'envelopes') return parcel;
    const envelopes = answer.envelopes.flatMap((bytes) => served(bytes, from));
    return { ...parcel, body: encodeCanonical(syncAnswerCodec, { ...answer, envelopes }) };
  });
  return answering;
}

/** Two halves of the swarm, drawn up when they are first needed. */
function splitter(transport: Transport): (peer: PeerId) => 0 | 1 {
  let order: readonly PeerId[] = [];
  return (peer) => {
    if (order.length === 0) order = [...transport.peers()].sort();
    return order.indexOf(peer) % 2 === 0 ? 0 : 1;
  };
}

/** Changes messages of one kind; `undefined` is silence. */
export function lying<K extends SecaggMessage['kind']>(
  kind: K,
  change: (message: MessageOf<K>) => SecaggMessage | undefined | Promise<SecaggMessage | undefined>,
): Adversary {
  return (wire) =>
    rewriting(wire, async (envelope) => {
      const message = messageIn(envelope);
      if (message?.kind !== kind) return [envelope];
      const said = await change(message as MessageOf<K>);
      return said === undefined ? [] : [sealedMessage(wire, envelope, said)];
    });
}

/** Changes what the peer answers to requests of one protocol. */
export function answers(
  transport: Transport,
  protocol: string,
  change: (
    answer: Parcel,
    asked: { readonly request: Parcel; readonly from: PeerId },
  ) => Parcel | Promise<Parcel>,
): Transport {
  return {
    ...transport,
    handle: (name, answer) =>
      transport.handle(
        name,
        name === protocol
          ? async (request, from) => change(await answer(request, from), { request, from })
          : answer,
      ),
  };
}

export const flipped = (bytes: Uint8Array, bit = 0): Uint8Array =>
  bytes.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));

export const pause = ({ clock }: Wire, ms: number): Promise<void> =>
  new Promise((resolve) => {
    clock.setTimer(millis(ms), resolve);
  });
