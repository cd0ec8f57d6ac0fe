/** The vectors of protocols/rounds. */
import {
  type BlobHash,
  concatBytes,
  encodeCanonical,
  fromHex,
  type JobId,
  type RoundId,
  toHex,
  utf8,
} from '@starling/core';
import { signingKeyFromSeed } from '@starling/crypto';
import {
  type Body,
  bodyCodec,
  type CertificateHash,
  certificateCodec,
  DEFAULT_AGGREGATION,
  DEFAULT_TRAINING,
  type Evidence,
  evidenceCodec,
  gossipCodec,
  type Manifest,
  manifestCodec,
  type Statement,
  sealEnvelope,
  signedManifestCodec,
  signManifest,
  signStatement,
  signThanks,
  statementCodec,
  statementHash,
  syncAnswerCodec,
  syncRequestCodec,
  type ThanksBody,
  thanksBodyCodec,
} from '@starling/protocol-rounds';
import {
  type BadVector,
  bad,
  badWire,
  encodingFaults,
  type GoodVector,
  good,
  ramp,
  toJson,
} from './shared.ts';

const key = signingKeyFromSeed(ramp(32));
const keys = [1, 2, 3]
  .map((first) => signingKeyFromSeed(ramp(32, first)))
  .sort((a, b) => (a.peerId < b.peerId ? -1 : 1));
const hash = <H extends string>(first: number): H => toHex(ramp(32, first)) as H;

const manifest: Manifest = {
  name: 'mnist-mlp',
  model: hash<BlobHash>(0),
  data: { task: 'mnist', inputType: 'float32', inputShape: [784], target: 'classes', classes: 10 },
  loss: 'softmax-cross-entropy',
  training: {
    ...DEFAULT_TRAINING,
    ...{ optimizer: 'adamw', momentum: 0.5, nesterov: true, weightDecay: 0.01, accumulation: 2 },
    schedule: { ...DEFAULT_TRAINING.schedule, kind: 'cosine', per: 'round', warmup: 3, floor: 0.1 },
    clipping: { norm: 1, value: 0.5 },
    frozen: ['*', '!*lora*'],
    personal: ['head.*'],
    dropout: false,
    lossOptions: { labelSmoothing: 0.1, ignoreIndex: -100, classWeights: [1, 2.5], delta: 1 },
  },
  aggregation: {
    ...DEFAULT_AGGREGATION,
    algorithm: 'fedadam',
    weighting: 'examples',
    graph: 'wide',
    unmasking: 'shared',
    phaseSeconds: 2.5,
  },
  privacy: {
    ...{ mechanism: 'distributed-gaussian', noiseMultiplier: 1.5, delta: 1e-5, updatesMax: 11 },
  },
  admission: { minPeers: 3, maxPeers: 64, joinWindowSeconds: 5, participation: 0.5 },
  stop: { rounds: 10, target: { metric: 'accuracy', value: 0.97 }, seconds: 0 },
  nonce: ramp(16),
};

const statement: Statement = {
  jobId: hash<JobId>(1),
  round: 1,
  restarts: 0,
  attempt: 2,
  parent: hash<CertificateHash>(1),
  stateHash: hash<BlobHash>(3),
  roster: keys.map(({ peerId }) => peerId),
  survivors: new Uint8Array([0b111]),
  metrics: { lossSum: 70_000, correct: 3, examples: 4_000_000_000, seconds: 0 },
};
const measured: Manifest = {
  ...manifest,
  training: {
    ...manifest.training,
    metrics: [{ name: 'recall', output: 'recall_5', low: 0, high: 1 }],
    seconds: 90,
  },
};
const measuredStatement: Statement = {
  ...statement,
  metrics: { ...statement.metrics, named: [70_000] },
};
const certificate = {
  statement,
  signatures: keys.map((signer, member) => ({
    member,
    signature: signStatement(statement, signer),
  })),
};

const thanks: ThanksBody = {
  certificate: statementHash(statement),
  services: [
    { peer: keys[1]!.peerId, sums: 1_234, blobs: 0, relayed: 0 },
    { peer: keys[2]!.peerId, sums: 0, blobs: 4_000_000_000, relayed: 7 },
  ],
};
const signedThanks = signThanks(thanks, keys[0]!);

const join: Body = {
  kind: 'join',
  round: 1,
  restarts: 0,
  parent: hash<CertificateHash>(1),
  stateHash: hash<BlobHash>(2),
  hello: ramp(70),
  beacon: ramp(32, 5),
  weight: 8,
};
const BODIES: readonly Body[] = [
  join,
  { kind: 'roster', joins: [hash(4), hash(5), hash(6)] },
  { kind: 'ack', reveal: ramp(32, 6) },
  { kind: 'cells', acked: ramp(3, 1) },
  { kind: 'session', message: ramp(3) },
  { kind: 'assembly', message: ramp(3) },
  { kind: 'final', statement: hash<CertificateHash>(7), signature: ramp(64) },
  { kind: 'accuse', member: 1023, reason: 'wrong-sum' },
];
const EVIDENCE: readonly Evidence[] = [
  { kind: 'equivocation', round: 2, restarts: 1, first: ramp(7), second: ramp(8) },
  { kind: 'testimony', round: 2, restarts: 0, accusations: [ramp(7), ramp(8), ramp(9)] },
];

/** Envelopes: sealed with the key whose seed is 00 01 … 1f. */
export function envelopeVectors(): readonly unknown[] {
  return BODIES.map((body, i) => {
    const roster = body.kind === 'join' || body.kind === 'roster' ? null : ramp(32, 9);
    const context = { roundId: hash<RoundId>(8), attempt: i, roster };
    const sealed = sealEnvelope(context, body, key);
    const opened = { ...context, sender: key.peerId, body, hash: sealed.hash };
    return { name: body.kind, ...(toJson(opened) as object), hex: toHex(sealed.bytes) };
  });
}

export const roundsGood = (): readonly GoodVector[] => [
  good('thanks', 'thanks', thanksBodyCodec, thanks),
  good('thanks for nothing yet', 'thanks', thanksBodyCodec, { ...thanks, services: [] }),
  good('thanks', 'gossip', gossipCodec, { kind: 'thanks', thanks: signedThanks.bytes }),
  good('thanks', 'sync-request', syncRequestCodec, {
    ...{ kind: 'thanks', job: hash<JobId>(1), fromRound: 1 },
  }),
  good('thanks', 'sync-answer', syncAnswerCodec, {
    ...{ kind: 'thanks', thanks: [signedThanks.bytes] },
  }),
  good('manifest', 'manifest', manifestCodec, manifest),
  good('manifest with metrics', 'manifest', manifestCodec, measured),
  good('statement with metrics', 'statement', statementCodec, measuredStatement),
  ...BODIES.map((body) => good(body.kind, 'body', bodyCodec, body)),
  ...EVIDENCE.map((evidence) => good(evidence.kind, 'evidence', evidenceCodec, evidence)),
  good('statement', 'statement', statementCodec, statement),
  good('certificate of three', 'certificate', certificateCodec, certificate),
  good('envelope', 'gossip', gossipCodec, { kind: 'envelope', bytes: ramp(5) }),
  good('head', 'gossip', gossipCodec, {
    kind: 'head',
    round: 2,
    certificate: hash<CertificateHash>(1),
  }),
  good('head of a new job', 'gossip', gossipCodec, { kind: 'head', round: 0, certificate: null }),
  good('evidence', 'gossip', gossipCodec, { kind: 'evidence', bytes: ramp(6) }),
  good('cancel', 'gossip', gossipCodec, { kind: 'cancel', signature: ramp(64) }),
  good('jobs', 'sync-request', syncRequestCodec, { kind: 'jobs' }),
  good('hold', 'sync-request', syncRequestCodec, { kind: 'hold', manifest: ramp(9) }),
  good('envelopes', 'sync-request', syncRequestCodec, {
    kind: 'envelopes',
    job: hash<JobId>(1),
    round: 3,
    cell: null,
    salt: 4_000_000_000,
    have: ramp(16),
  }),
  good('envelopes of a cell', 'sync-request', syncRequestCodec, {
    kind: 'envelopes',
    job: hash<JobId>(1),
    round: 3,
    cell: ramp(32, 2),
    salt: 0,
    have: ramp(2),
  }),
  good('chain', 'sync-request', syncRequestCodec, {
    kind: 'chain',
    job: hash<JobId>(1),
    fromRound: 1,
  }),
  good('jobs', 'sync-answer', syncAnswerCodec, { kind: 'jobs', manifests: [ramp(4)] }),
  good('held', 'sync-answer', syncAnswerCodec, { kind: 'held' }),
  good('envelopes', 'sync-answer', syncAnswerCodec, { kind: 'envelopes', envelopes: [ramp(4)] }),
  good('chain', 'sync-answer', syncAnswerCodec, { kind: 'chain', certificates: [certificate] }),
  good('refused', 'sync-answer', syncAnswerCodec, { kind: 'refused', reason: utf8('no room') }),
  good('cancelled', 'sync-answer', syncAnswerCodec, { kind: 'cancelled', signature: ramp(64) }),
];

/** A signed manifest, its job id, and the hash that a certificate's children name as parent. */
export function identityVectors(): readonly unknown[] {
  return [
    { name: 'signed manifest', seed: toHex(ramp(32)), hex: toHex(signManifest(manifest, key)) },
    {
      name: 'statement hash',
      statement: toHex(encodeCanonical(statementCodec, statement)),
      hash: statementHash(statement),
    },
    { name: 'signed thanks', hash: signedThanks.hash, hex: toHex(signedThanks.bytes) },
  ];
}

const LEARNING_RATE = 'cb3fb999999999999a';

export function roundsBad(): readonly BadVector[] {
  const encoded = toHex(encodeCanonical(manifestCodec, manifest));
  const changed = (name: string, from: string, to: string) =>
    bad(name, 'manifest', manifestCodec, encoded.replace(from, to));
  const rate = (name: string, float: string) => changed(name, LEARNING_RATE, float);
  const h = ramp(32);
  const [, service] = thanksBodyCodec.write(thanks) as unknown as [unknown, unknown[]];
  const badThanks = (name: string, services: readonly unknown[]) =>
    badWire(name, 'thanks', thanksBodyCodec, [fromHex(thanks.certificate), services] as never);
  return [
    badThanks('thanks for one peer twice', [service[0], service[0]]),
    badThanks('thanks for nothing', [[(service[0] as unknown[])[0], 0, 0, 0]]),
    ...encodingFaults('gossip', gossipCodec, { kind: 'envelope', bytes: ramp(5) }),
    rate('learning rate of minus zero', 'cb8000000000000000'),
    rate('learning rate that is no number', 'cb7ff8000000000000'),
    rate('infinite learning rate', 'cb7ff0000000000000'),
    rate('learning rate of one as a float', 'cb3ff0000000000000'),
    rate('learning rate as text', 'a3302e31'),
    bad('name of 129 characters', 'manifest', manifestCodec, longName(encoded)),
    changed('eighth loss', '91cd0310000a00', '91cd0310000a07'),
    changed('third input type', '0091cd0310', '0291cd0310'),
    changed('fifth kind of target', '91cd0310000a', '91cd0310040a'),
    changed('classes above a million', '91cd0310000a', '91cd031000ce000f4241'),
    badWire('nothing but a name', 'manifest', manifestCodec, ['mnist']),
    badWire('manifest above 12 KiB', 'signed-manifest', signedManifestCodec, [
      ramp(12 * 1024 + 1),
      h,
      ramp(64),
    ]),
    badWire('short signature', 'signed-manifest', signedManifestCodec, [ramp(9), h, ramp(63)]),
    badWire('join with a weight of nine', 'body', bodyCodec, [0, [1, 0, h, h, ramp(9), h, 9]]),
    badWire('join with a hello of 257 bytes', 'body', bodyCodec, [
      0,
      [1, 0, h, h, ramp(257), h, 0],
    ]),
    badWire('join of round 1000001', 'body', bodyCodec, [0, [1_000_001, 0, h, h, ramp(9), h, 0]]),
    badWire('join with a short beacon', 'body', bodyCodec, [0, [1, 0, h, h, ramp(9), ramp(31), 0]]),
    badWire('roster of 1025', 'body', bodyCodec, [1, [Array.from({ length: 1025 }, () => h)]]),
    badWire('ack with a short reveal', 'body', bodyCodec, [2, [ramp(31)]]),
    badWire('cells of 129 bytes', 'body', bodyCodec, [3, [ramp(129)]]),
    badWire('session without a message', 'body', bodyCodec, [4, [new Uint8Array(0)]]),
    badWire('final with a short signature', 'body', bodyCodec, [6, [h, ramp(63)]]),
    badWire('accusation of member 1024', 'body', bodyCodec, [7, [1024, 0]]),
    badWire('accusation without a known reason', 'body', bodyCodec, [7, [0, 5]]),
    badWire('equivocation with one envelope', 'evidence', evidenceCodec, [0, [1, 0, ramp(9)]]),
    badWire('testimony of 1025', 'evidence', evidenceCodec, [
      1,
      [1, 0, Array.from({ length: 1025 }, () => ramp(1))],
    ]),
    badWire('signature by member 1024', 'certificate', certificateCodec, [
      [h, 1, 0, 0, h, h, [h], ramp(1), [0, 0, 0]],
      [[1024, ramp(64)]],
    ]),
    badWire('survivors of 129 bytes', 'statement', statementCodec, [
      h,
      1,
      0,
      0,
      h,
      h,
      [h],
      ramp(129),
      [0, 0, 0],
    ]),
    badWire('fifth request', 'sync-request', syncRequestCodec, [4, []]),
    badWire('jobs with a filter', 'sync-request', syncRequestCodec, [0, ['mnist']]),
    badWire('have above 24 KiB', 'sync-request', syncRequestCodec, [2, [h, 1, ramp(24_577)]]),
    badWire('257 certificates', 'sync-answer', syncAnswerCodec, [3, [new Array(257).fill(null)]]),
    badWire('cancel of 63 bytes', 'gossip', gossipCodec, [3, [ramp(63)]]),
    badWire('reason of 257 bytes', 'sync-answer', syncAnswerCodec, [4, [ramp(257)]]),
  ];
}

/** Envelopes that do not open: malformed ones with a reason, and ones whose signature fails. */
export function badEnvelopes(): readonly unknown[] {
  const sealed = sealEnvelope({ roundId: hash<RoundId>(8), attempt: 0, roster: null }, join, key);
  const { bytes } = sealed;
  const flip = (at: number) => bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));
  const longer = concatBytes(bytes, new Uint8Array(1));
  return [
    { name: 'flipped bit in the signature', hex: toHex(flip(bytes.length - 1)), why: 'signature' },
    { name: 'flipped bit in the round id', hex: toHex(flip(5)), why: 'signature' },
    { name: 'another attempt', hex: toHex(replaced(bytes, 35, 1)), why: 'signature' },
    { name: 'a byte after the end', hex: toHex(longer), why: 'bytes after the end' },
    { name: 'torn', hex: toHex(bytes.subarray(0, 80)), why: 'ends early' },
  ];
}

const replaced = (bytes: Uint8Array, at: number, value: number): Uint8Array =>
  bytes.map((byte, i) => (i === at ? value : byte));

/** The first field with a name longer than the limit. */
function longName(encoded: string): Uint8Array {
  const name = utf8('mnist-mlp');
  const from = 2 + 2 + 2 * name.length;
  const long = concatBytes(new Uint8Array([0xd9, 129]), utf8('n'.repeat(129)));
  return concatBytes(fromHex(encoded.slice(0, 2)), long, fromHex(encoded.slice(from)));
}
