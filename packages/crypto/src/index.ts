export { open, seal } from './aead.ts';
export { type AgreementKey, agreementKeyFromSeed } from './agreement.ts';
export { hashCodec, peerCodec, signatureCodec } from './codecs.ts';
export { hashHex, sha256 } from './hash.ts';
export { type KeystreamReader, keystream, keystreamFrom } from './keystream.ts';
export {
  merkleLeaf,
  merkleProof,
  merkleProofs,
  merkleRoot,
  merkleRootOfHashes,
  verifyMerkleProof,
} from './merkle.ts';
export { parsePeerId, peerIdOf, publicKeyOf } from './peer-id.ts';
export { deriveSecret, Secret } from './secret.ts';
export { combineShares, type ShareAt, type SharePlan, splitSecret } from './shamir.ts';
export { type SigningKey, signingKeyFromSeed, verifications, verify } from './signing.ts';
