import {
  compareText,
  concatBytes,
  type Decoded,
  DecodeError,
  list,
  mapped,
  type PeerId,
  struct,
  toHex,
  utf8,
} from '@starling/core';
import { peerCodec, type SigningKey, sha256, signatureCodec, verify } from '@starling/crypto';
import { MEMBERSHIP_LIMITS } from './limits.ts';
import { MEMBERSHIP_LABEL } from './version.ts';

/** One signer's signature under an invite or a credential. */
export const signatureOfCodec = struct({ signer: peerCodec, signature: signatureCodec });
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
