import { decodeCanonical, LIMITS } from '@starling/core';
import {
  type CertificateHash,
  type Envelope,
  gossipCodec,
  openEnvelope,
  readThanks,
  type Thanks,
} from '@starling/protocol-rounds';

/** What came on a job's topic, opened and checked. */
export type Heard =
  | {
      readonly kind: 'head';
      readonly round: number;
      readonly certificate: CertificateHash | null;
    }
  | { readonly kind: 'evidence'; readonly bytes: Uint8Array }
  | { readonly kind: 'cancel'; readonly signature: Uint8Array }
  | { readonly kind: 'thanks'; readonly thanks: Thanks }
  | { readonly kind: 'envelope'; readonly envelope: Envelope };

/**
 * Reads what other peers say. Pure, so that the simulator may read a message once for all of its
 * peers: a thousand of them hear the same bytes.
 */
export interface Wire {
  /** @throws DecodeError on malformed bytes; undefined when a signature is wrong */
  readonly gossip: (message: Uint8Array) => Heard | undefined;
  /** @throws DecodeError on malformed bytes; undefined when the signature is wrong */
  readonly envelope: (sealed: Uint8Array) => Envelope | undefined;
}

export const plainWire: Wire = {
  gossip: (message) => readGossip(message, openEnvelope),
  envelope: openEnvelope,
};

export function readGossip(message: Uint8Array, open: Wire['envelope']): Heard | undefined {
  const gossip = decodeCanonical(gossipCodec, message, LIMITS.controlBytesMax);
  if (gossip.kind === 'thanks') {
    const thanks = readThanks(gossip.thanks);
    return thanks && { kind: 'thanks', thanks };
  }
  if (gossip.kind !== 'envelope') return gossip;
  const envelope = open(gossip.bytes);
  return envelope && { kind: 'envelope', envelope };
}
