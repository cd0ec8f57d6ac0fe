/**
 * Derived keys and commitments of protocols/secagg §3, put together here from the labels in the
 * text and not by the code under test.
 */
import { concatBytes, toHex, u32be, utf8 } from '@starling/core';
import { agreementKeyFromSeed, deriveSecret, Secret, sha256 } from '@starling/crypto';
import { ramp } from './shared.ts';

const own = (seed: Uint8Array, name: string): Uint8Array =>
  deriveSecret(new Secret(seed), utf8(`starling/secagg/3/own/${name}`)).reveal();

export function derivationVectors(): readonly unknown[] {
  return [0, 70_000].map((attempt) => {
    const seeds = [ramp(32, 1), ramp(32, 2)];
    const [roundId, rosterDigest, context] = [ramp(32, 3), ramp(32, 4), ramp(32, 5)];
    const pairs = seeds.map((seed) => ({
      encryption: agreementKeyFromSeed(own(seed, 'encryption-key')),
      mask: agreementKeyFromSeed(own(seed, 'mask-key')),
    }));
    const selfMask = own(seeds[0]!, 'self-mask');
    const label = utf8('starling/secagg/3/pair-mask');
    const ends = concatBytes(u32be(0), u32be(1));
    const info = concatBytes(label, roundId, u32be(attempt), rosterDigest, context, ends);
    const edge = deriveSecret(pairs[0]!.mask.agree(pairs[1]!.mask.publicKey)!, info).reveal();
    const commit = (use: string, ...rest: Uint8Array[]) =>
      toHex(sha256(utf8(`starling/secagg/3/${use}`), rosterDigest, ...rest));
    return {
      name: `attempt ${attempt}`,
      seeds: seeds.map(toHex),
      roundId: toHex(roundId),
      attempt,
      rosterDigest: toHex(rosterDigest),
      context: toHex(context),
      hellos: pairs.map(({ encryption, mask }) => ({
        encryptionKey: toHex(encryption.publicKey),
        maskKey: toHex(mask.publicKey),
      })),
      selfMask: toHex(selfMask),
      selfMaskCommitment: commit('self-mask-commitment', selfMask),
      edgeSeed: toHex(edge),
      edgeCommitment: commit('edge-commitment', edge),
      shareCommitment: commit('share-commitment/mask-key', ends, selfMask),
    };
  });
}
