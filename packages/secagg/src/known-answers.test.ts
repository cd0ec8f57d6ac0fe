import { readFileSync } from 'node:fs';
import { fromHex, type PeerId, toHex } from '@starling/core';
import { Secret } from '@starling/crypto';
import { expect, test } from 'vitest';
import {
  edgeCommitment,
  edgeSeed,
  helloOf,
  maskKeyOf,
  selfMaskCommitment,
  selfMaskOf,
  shareCommitment,
} from './secrets.ts';
import type { SessionConfig } from './types.ts';

interface Derivation {
  readonly seeds: readonly string[];
  readonly roundId: string;
  readonly attempt: number;
  readonly rosterDigest: string;
  readonly context: string;
  readonly hellos: readonly { readonly encryptionKey: string; readonly maskKey: string }[];
  readonly selfMask: string;
  readonly selfMaskCommitment: string;
  readonly edgeSeed: string;
  readonly edgeCommitment: string;
  readonly shareCommitment: string;
}

const path = 'protocols/secagg/vectors/derivations.json';
const vectors = JSON.parse(
  readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8'),
) as readonly Derivation[];

test.each(vectors)('derivations of two members, attempt $attempt', (vector) => {
  const [config, other] = configsOf(vector);
  const hellos = vector.seeds.map((seed) => helloOf(new Secret(fromHex(seed))));
  expect(hellos.map(hexOfKeys)).toEqual(vector.hellos);
  const selfMask = selfMaskOf(config.seed).reveal();
  expect(toHex(selfMask)).toBe(vector.selfMask);
  expect(toHex(selfMaskCommitment(config, selfMask))).toBe(vector.selfMaskCommitment);
  const edge = edgeSeed(config, 0, maskKeyOf(config.seed), 1)!.reveal();
  expect(toHex(edge)).toBe(vector.edgeSeed);
  expect(toHex(edgeCommitment(config, edge))).toBe(vector.edgeCommitment);
  expect(toHex(edgeSeed(other, 1, maskKeyOf(other.seed), 0)!.reveal())).toBe(vector.edgeSeed);
  const commitment = shareCommitment(config, 'mask-key', 0, 1, selfMask);
  expect(toHex(commitment)).toBe(vector.shareCommitment);
});

const hexOfKeys = ({ encryptionKey, maskKey }: ReturnType<typeof helloOf>) => ({
  encryptionKey: toHex(encryptionKey),
  maskKey: toHex(maskKey),
});

function configsOf(vector: Derivation): readonly [SessionConfig, SessionConfig] {
  const members = vector.seeds.map((seed, i) => ({
    peer: `member-${i}` as PeerId,
    hello: helloOf(new Secret(fromHex(seed))),
    weight: 1,
  }));
  const of = (self: number): SessionConfig => ({
    roundId: fromHex(vector.roundId),
    attempt: vector.attempt,
    members,
    rosterDigest: fromHex(vector.rosterDigest),
    self,
    context: fromHex(vector.context),
    shape: { length: 8, bits: 24, coordinateMax: 2 ** 18 - 1, chunkBytes: 24 },
    replication: 1,
    timers: { phaseMs: 1_000, decideMs: 500 },
    seed: new Secret(fromHex(vector.seeds[self]!)),
    input: 'update',
    protection: 'double-masking',
    unmasking: 'local',
  });
  return [of(0), of(1)];
}
