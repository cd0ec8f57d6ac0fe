import {
  bytes,
  compareText,
  concatBytes,
  type Decoded,
  DecodeError,
  fromHex,
  list,
  mapped,
  type PeerId,
  struct,
  toHex,
  utf8,
} from '@starling/core';
import { peerIdOf, publicKeyOf, type SigningKey, sha256, verify } from '@starling/crypto';
import { MEMBERSHIP_LIMITS } from './limits.ts';
import { MEMBERSHIP_LABEL } from './version.ts';

/** A peer as its 32-byte Ed25519 public key. */
export const memberCodec = mapped<Uint8Array, PeerId>(
  bytes(32),
  (key) => peerIdOf(key),
  (peer) => publicKeyOf(peer),
);

/** A SHA-256 as 32 bytes on the wire, 64 hex digits in memory. */
export function idCodec<H extends string>() {
  return mapped<Uint8Array, H>(
    bytes(32),
    (value) => toHex(value) as H,
    (value) => fromHex(value),
  );
}

/** One signer's signature under an invite or a credential. */
export const signatureOfCodec = struct({ signer: memberCodec, signature: bytes(64) });
export type SignatureOf = Decoded<typeof signatureOfCodec>;

/** In ascending order of signers, each once: a set of signatures has one encoding. */
export const signaturesCodec = mapped<readonly SignatureOf[], readonly SignatureOf[]>(
  list(signatureOfCodec, MEMBERSHIP_LIMITS.signaturesMax),
  (signatures, field) => {
    if (!isAscending(signatures.map(({ signer }) => signer))) {
      throw new DecodeError(field, 'signers are not in ascending order');
    }
    return signatures;
  },
  (signatures) => signatures,
);

export const isAscending = (peers: readonly PeerId[]): boolean =>
  peers.every((peer, i) => i === 0 || compareText(peers[i - 1]!, peer) < 0);

/** The union of two sets of signatures, one for each signer. */
export function mergeSignatures(
  ...sets: readonly (readonly SignatureOf[])[]
): readonly SignatureOf[] {
  const bySigner = new Map(sets.flat().map((entry) => [entry.signer, entry]));
  return [...bySigner.values()].sort((a, b) => compareText(a.signer, b.signer));
}

/** What is signed: the label of its kind, then the encoding of the body. */
export const labelled = (kind: string, body: Uint8Array): Uint8Array =>
  concatBytes(utf8(`${MEMBERSHIP_LABEL}/${kind}`), body);

export const idOf = (kind: string, body: Uint8Array): string => toHex(sha256(labelled(kind, body)));

export const signAs = (key: SigningKey, kind: string, body: Uint8Array): SignatureOf => ({
  signer: key.peerId,
  signature: key.sign(labelled(kind, body)),
});

/** Signers out of `allowed` whose signatures under `body` hold. */
export const soundSigners = (
  kind: string,
  body: Uint8Array,
  signatures: readonly SignatureOf[],
  allowed: (signer: PeerId) => boolean,
): readonly PeerId[] => {
  const signed = labelled(kind, body);
  return signatures
    .filter(({ signer, signature }) => allowed(signer) && verify(signer, signed, signature))
    .map(({ signer }) => signer);
};
