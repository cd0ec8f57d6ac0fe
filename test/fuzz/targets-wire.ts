/** Everything that decodes what peers send: all codecs that the protocols export, and the rest. */
import { readdirSync, readFileSync } from 'node:fs';
import {
  type Codec,
  decodeCanonical,
  encodeCanonical,
  equalBytes,
  fromHex,
  packWire,
  toHex,
  unpackWire,
  utf8,
  type Wire,
} from '@starling/core';
import { signingKeyFromSeed } from '@starling/crypto';
import { Books, Vouches } from '@starling/membership';
import * as blobs from '@starling/protocol-blobs';
import * as infer from '@starling/protocol-infer';
import * as membership from '@starling/protocol-membership';
import * as models from '@starling/protocol-models';
import * as reach from '@starling/protocol-reach';
import * as rounds from '@starling/protocol-rounds';
import * as secagg from '@starling/protocol-secagg';
import { promise, type Target } from './target.ts';

/** Above every limit of a message; a codec's own limits are its caller's business. */
const BYTES_MAX = 8 * 1024 * 1024;
const PROTOCOLS = { blobs, infer, membership, models, reach, rounds, secagg };

const isCodec = (value: unknown): value is Codec<unknown> =>
  typeof value === 'object' && value !== null && 'read' in value && 'write' in value;

const decodes = <T>(codec: Codec<T>, bytes: Uint8Array): boolean => {
  try {
    decodeCanonical(codec, bytes, BYTES_MAX);
    return true;
  } catch {
    return false;
  }
};

/** Some bad vectors are whole values that mean nothing, others are not even that. */
function unpacks(bytes: Uint8Array): boolean {
  try {
    unpackWire(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Every encoding in the vectors of all protocols. */
function published(): readonly Uint8Array[] {
  return Object.keys(PROTOCOLS).flatMap((protocol) => {
    const folder = new URL(`../../protocols/${protocol}/vectors/`, import.meta.url);
    return readdirSync(folder).flatMap((file) => {
      const entries = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as { hex?: string }[];
      return entries.flatMap(({ hex }) => (hex === undefined ? [] : [fromHex(hex)]));
    });
  });
}

/** What is in no vector by itself: made of the published certificate and manifest. */
function madeUp(all: readonly Uint8Array[]): readonly Uint8Array[] {
  const certificates = all
    .filter((bytes) => decodes(rounds.certificateCodec, bytes))
    .map((bytes) => decodeCanonical(rounds.certificateCodec, bytes, BYTES_MAX));
  const manifest = all.find((bytes) => decodes(rounds.signedManifestCodec, bytes))!;
  const [descriptor, ...credentials] = [membership.descriptorCodec, membership.credentialCodec].map(
    (codec) => all.find((bytes) => decodes(codec as Codec<unknown>, bytes))!,
  );
  const membershipProof = { descriptor: descriptor!, credentials, revocations: [] };
  return [
    encodeCanonical(rounds.membershipProofCodec, membershipProof),
    ...[null, membershipProof].map((each) =>
      encodeCanonical(rounds.proofCodec, {
        ...{ manifest, certificates, moments: [new Uint8Array(8)], membership: each },
        thanks: [],
      }),
    ),
    ...certificates.map((each) => encodeCanonical(rounds.certificateBytesCodec, each)),
    encodeCanonical(rounds.trainingCodec, rounds.DEFAULT_TRAINING),
    encodeCanonical(rounds.aggregationCodec, rounds.DEFAULT_AGGREGATION),
    ...membershipParts(all),
  ];
}

/** The parts of invites, credentials and revocations, whose codecs are targets of their own. */
function membershipParts(all: readonly Uint8Array[]): readonly Uint8Array[] {
  const read = <T>(codec: Codec<T>): readonly T[] =>
    all
      .filter((bytes) => decodes(codec, bytes))
      .map((bytes) => decodeCanonical(codec, bytes, BYTES_MAX));
  const revocations = read(membership.revocationCodec);
  const words = revocations.map(membership.encodeRevocation);
  const list = { version: words.length, words };
  return [
    ...read(membership.inviteCodec).flatMap(({ body, signatures }) => [
      encodeCanonical(membership.inviteBodyCodec, body),
      ...signatures.map((each) => encodeCanonical(membership.signatureOfCodec, each)),
    ]),
    ...read(membership.credentialCodec).map(({ body }) =>
      encodeCanonical(membership.credentialBodyCodec, body),
    ),
    ...revocations.flatMap(({ body }) => [
      encodeCanonical(membership.revocationBodyCodec, body),
      encodeCanonical(membership.targetCodec, body.target),
    ]),
    ...read(membership.vouchCodec).map(({ body }) =>
      encodeCanonical(membership.vouchBodyCodec, body),
    ),
    encodeCanonical(membership.revocationListCodec, list),
  ];
}

function codecTarget(name: string, codec: Codec<unknown>, all: readonly Uint8Array[]): Target {
  return {
    name,
    format: 'msgpack',
    seeds: all.filter((bytes) => decodes(codec, bytes)),
    run: (bytes) => {
      const value = decodeCanonical(codec, bytes, BYTES_MAX);
      promise(equalBytes(encodeCanonical(codec, value), bytes), 'encodes to other bytes');
      return 'read';
    },
  };
}

const prescan = (seeds: readonly Uint8Array[]): Target => ({
  name: 'unpackWire',
  format: 'msgpack',
  seeds,
  run: (bytes) => {
    const before = bytes.slice();
    const value = unpackWire(bytes);
    promise(equalBytes(before, bytes), 'the input was changed');
    // An item takes a byte at least, so what is built is never more than what came.
    promise(countItems(value) <= bytes.length, 'more items than bytes');
    packWire(value as Wire);
    return 'unpacked';
  },
});

export function countItems(value: unknown): number {
  const known = value === null || ['boolean', 'number', 'string'].includes(typeof value);
  if (known || value instanceof Uint8Array) return 1;
  promise(Array.isArray(value), `unpacked to a ${Object.prototype.toString.call(value)}`);
  return (value as unknown[]).reduce<number>((sum, item) => sum + countItems(item), 1);
}

const openedEnvelope = (seeds: readonly Uint8Array[]): Target => ({
  name: 'openEnvelope',
  format: 'msgpack',
  seeds,
  run: (bytes) => {
    const envelope = rounds.openEnvelope(bytes);
    if (envelope === undefined) return 'forged';
    promise(equalBytes(envelope.bytes, bytes), 'passes on other bytes');
    return `signed ${envelope.body.kind}`;
  },
});

const job = (seeds: readonly Uint8Array[]): Target => ({
  name: 'readJob',
  format: 'msgpack',
  seeds,
  run: (bytes) => {
    const read = rounds.readJob(bytes);
    if (read === undefined) return 'forged';
    const { manifest } = decodeCanonical(rounds.signedManifestCodec, bytes, BYTES_MAX);
    const again = encodeCanonical(rounds.manifestCodec, read.manifest);
    promise(equalBytes(again, manifest), 'the manifest encodes to other bytes');
    return 'signed';
  },
});

/** Cards and statements: what is read is signed, and means the bytes that were signed. */
function modelWords(all: readonly Uint8Array[]): readonly Target[] {
  const target = <T extends { readonly bytes: Uint8Array }>(
    name: string,
    codec: Codec<unknown>,
    read: (bytes: Uint8Array) => T | undefined,
  ): Target => {
    const seeds = all.filter((bytes) => decodes(codec, bytes) && readsAs(read, bytes));
    const signed = new Set(seeds.map(toHex));
    return {
      ...{ name, format: 'msgpack', seeds },
      run: (bytes) => {
        const found = read(bytes);
        if (found === undefined) return 'forged';
        promise(equalBytes(found.bytes, bytes), 'passes on other bytes');
        promise(signed.has(toHex(bytes)), 'forged, and taken');
        return 'signed';
      },
    };
  };
  return [
    target('readCard', models.signedCardCodec as Codec<unknown>, models.readCard),
    target('readStatement', models.signedStatementCodec as Codec<unknown>, models.readStatement),
  ];
}

function readsAs(read: (bytes: Uint8Array) => unknown, bytes: Uint8Array): boolean {
  try {
    return read(bytes) !== undefined;
  } catch {
    return false;
  }
}

/** The text of an invite, as people paste it. */
const inviteTexts = (all: readonly Uint8Array[]): Target => ({
  name: 'parseInvite',
  format: 'words',
  seeds: all
    .filter((bytes) => decodes(membership.inviteCodec, bytes))
    .map((bytes) => decodeCanonical(membership.inviteCodec, bytes, BYTES_MAX))
    .map((invite) => utf8(membership.inviteText(invite))),
  run: (bytes) => {
    const invite = membership.parseInvite(new TextDecoder().decode(bytes));
    const again = membership.parseInvite(membership.inviteText(invite));
    promise(membership.inviteText(again) === membership.inviteText(invite), 'reads differently');
    return membership.checkInvite(invite, invite.body.issued).ok ? 'signed' : 'forged';
  },
});

/** What the books, or the vouches, say to something new. */
type Answer = { readonly kind: string; readonly reason?: string };

/** What members tell each other: nothing unsigned comes into the books. */
function books(all: readonly Uint8Array[]): readonly Target[] {
  const credentials = all.filter((bytes) => decodes(membership.credentialCodec, bytes));
  const words = all.filter((bytes) => decodes(membership.revocationCodec, bytes));
  const descriptors = all
    .filter((bytes) => decodes(membership.descriptorCodec, bytes))
    .map((bytes) => decodeCanonical(membership.descriptorCodec, bytes, BYTES_MAX));
  const vouches = all.filter((bytes) => decodes(membership.vouchCodec, bytes));
  const published = new Set([...credentials, ...words, ...vouches].map(toHex));
  const target = (
    name: string,
    seeds: readonly Uint8Array[],
    take: (into: Books, bytes: Uint8Array) => Answer,
  ): Target => ({
    name,
    format: 'msgpack',
    seeds,
    run: (bytes) => {
      const answers = descriptors.map((descriptor) => take(new Books(descriptor), bytes));
      const taken = answers.some(({ kind }) => kind === 'new');
      promise(!taken || published.has(toHex(bytes)), 'forged, and taken');
      return answers.map((each) => each.reason ?? each.kind).join();
    },
  });
  return [
    target('takeCredential', credentials, (into, bytes) => into.takeCredential(bytes)),
    target('takeRevocation', words, (into, bytes) => into.takeRevocation(bytes)),
    target('takeVouch', vouches, ({ descriptor }, bytes) =>
      vouchesOf(descriptor, vouches).take(bytes),
    ),
  ];
}

/** Of a peer whose owner takes the word of all that have signed published vouches. */
function vouchesOf(descriptor: membership.Descriptor, all: readonly Uint8Array[]): Vouches {
  const voters = new Set(all.map((bytes) => membership.decodeVouch(bytes).body.signer));
  const [self] = descriptor.admins;
  return new Vouches({ swarm: membership.swarmIdOf(descriptor), self: self!, voters });
}

/** Envelopes with every kind of body, sealed by a key that mutations do not have. */
function envelopes(all: readonly Uint8Array[]): readonly Uint8Array[] {
  const key = signingKeyFromSeed(new Uint8Array(32).fill(7));
  const bodies = all
    .filter((bytes) => decodes(rounds.bodyCodec, bytes))
    .map((bytes) => decodeCanonical(rounds.bodyCodec, bytes, BYTES_MAX));
  const messages = all
    .filter((bytes) => decodes(secagg.messageCodec, bytes))
    .map((message): rounds.Body => ({ kind: 'session', message }));
  return [...bodies, ...messages].map((body, i) => {
    const roster = body.kind === 'join' || body.kind === 'roster' ? null : new Uint8Array(32);
    const roundId = 'ab'.repeat(32) as never;
    return rounds.sealEnvelope({ roundId, attempt: i, roster }, body, key).bytes;
  });
}

export function wireTargets(): readonly Target[] {
  const vectors = published();
  const all = [...vectors, ...madeUp(vectors)];
  const codecs = Object.entries(PROTOCOLS).flatMap(([protocol, exports]) =>
    Object.entries(exports).flatMap(([name, value]) =>
      isCodec(value) ? [codecTarget(`${protocol}.${name}`, value, all)] : [],
    ),
  );
  const sealed = envelopes(all);
  // A signed card has the same form, around another content.
  const outer = all.filter((bytes) => readsAs(rounds.readJob, bytes));
  return [
    ...codecs,
    prescan([...all.filter(unpacks), ...sealed]),
    openedEnvelope(sealed),
    job(outer),
    inviteTexts(all),
    ...modelWords(all),
    ...books(all),
  ];
}
