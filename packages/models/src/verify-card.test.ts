import type { BlobHash, JobId, PeerId } from '@starling/core';
import { hashHex } from '@starling/crypto';
import { averageModels } from '@starling/onnx';
import type { Card, CardId } from '@starling/protocol-models';
import {
  type Certificate,
  type CertificateHash,
  NO_PRIVACY,
  readJob,
  signManifest,
  signStatement,
  statementHash,
} from '@starling/protocol-rounds';
import { describe, expect, test } from 'vitest';
import type { CardFiles, VerifyOptions } from './card-check.ts';
import { certifiedMetrics, lineageOf, privacyOf } from './certified.ts';
import { cardOfJob, plainCard, published, sized } from './testing/hand-made-card.ts';
import {
  certify,
  chainOf,
  JOB,
  KEYS,
  LAUNCHED,
  MANIFEST,
  modelAfter,
  proofOf,
} from './testing/hand-made-job.ts';
import { verifyCard } from './verify-card.ts';

const MODEL = modelAfter(0.5);
const PROOF = proofOf(chainOf());
const signed = (card: Card) => published(card).bytes;
const files = (change: Partial<Card> = {}, more: Partial<CardFiles> = {}): CardFiles => ({
  ...{ card: signed({ ...cardOfJob(), ...change }), model: MODEL, proof: PROOF },
  ...more,
});
const faultOf = (given: CardFiles, options?: VerifyOptions) => verifyCard(given, options).fault;
const standings = (given: CardFiles, options?: VerifyOptions) =>
  verifyCard(given, options).checks.map(({ link, standing }) => `${link}: ${standing}`);

test('a card of a job holds, link by link, and what it does not claim is said', () => {
  const { ok, fault, checks, chain, card } = verifyCard(files());
  expect({ ok, fault }).toEqual({ ok: true, fault: undefined });
  expect(card?.card.name).toBe('by-hand');
  expect(chain?.rounds).toHaveLength(2);
  expect(checks.map(({ link, standing }) => `${link}: ${standing}`)).toEqual([
    ...['signature: holds', 'model: holds', 'values: holds', 'lineage: holds', 'metrics: holds'],
    ...['privacy: not claimed', 'recipe: not claimed', 'parents: not claimed'],
  ]);
});

test('a plain card holds for its file, and claims no lineage', () => {
  const given = { card: signed(plainCard(LAUNCHED)), model: LAUNCHED };
  expect(standings(given)).toContain('lineage: not claimed');
  expect(verifyCard(given).ok).toBe(true);
});

describe('of the card itself', () => {
  test('a forged signature, and bytes that are no card', () => {
    const card = signed(cardOfJob());
    const forged = card.slice();
    forged[forged.length - 1]! ^= 1;
    expect(faultOf(files({}, { card: forged }))).toBe(
      "the card: the signature is not its publisher's",
    );
    expect(faultOf(files({}, { card: card.subarray(1) }))).toMatch(/^the card: malformed \(/);
  });

  test('another model, a proof that is missing, a proof that was swapped', () => {
    const other = modelAfter(0.75);
    const [has, said] = [hashHex(other).slice(0, 12), hashHex(MODEL).slice(0, 12)];
    expect(faultOf(files({}, { model: other }))).toBe(
      `the model: the file's SHA-256 is ${has}, the card says ${said}`,
    );
    expect(faultOf(files({}, { proof: undefined }))).toBe(
      'the proof: the card names one, and it is not here',
    );
    expect(faultOf(files({}, { proof: proofOf([]) }))).toMatch(/^the proof: the file's SHA-256 is/);
  });

  test('inputs that the model does not have', () => {
    const [input] = cardOfJob().inputs;
    const said = { ...input!, shape: [0, 3, 224, 224] };
    expect(faultOf(files({ inputs: [said] }))).toMatch(
      /^the inputs: the model has ".*784\]", the card says ".*\[\?, 3, 224, 224\]"$/,
    );
  });

  test.each<[keyof NonNullable<Card['lineage']>, unknown, RegExp]>([
    ['job', 'ab'.repeat(32) as JobId, /^the lineage: the proof is of job .*, the card says abab/],
    ['launcher', KEYS[2]!.peerId, /^the lineage: \S+ launched the job, the card says \S+$/],
    ['round', 3, /^the lineage: the chain ends in round 2, the card says 3$/],
    ['round', 1, /^the lineage: the chain ends in round 2, the card says 1$/],
    [
      'certificate',
      'cd'.repeat(32),
      /^the lineage: certificate of round 2 is .*, the card says cdcd/,
    ],
    ['state', 'ef'.repeat(32) as BlobHash, /^the lineage: the state of round 2 is .*says efef/],
  ])('a lineage with another %s', (field, value, wanted) => {
    const lineage = { ...cardOfJob().lineage!, [field]: value };
    expect(faultOf(files({ lineage }))).toMatch(wanted);
  });

  test('metrics that no certificate has', () => {
    const [accuracy] = cardOfJob().metrics;
    const metric = (change: object) => files({ metrics: [{ ...accuracy!, ...change }] });
    expect(faultOf(metric({ value: 0.91 }))).toBe(
      'the metric accuracy: the certificate of round 2 has 0.9, the card says 0.91',
    );
    expect(faultOf(metric({ name: 'f1' }))).toBe(
      'the metric f1: the certificate of round 2 has none of this name',
    );
    expect(faultOf(metric({ certified: 7 }))).toBe(
      'the metric accuracy: the chain has no certificate of round 7',
    );
    // What only the publisher says is nobody else's business, and told as such.
    const claimed = verifyCard(metric({ name: 'f1', certified: null }));
    expect(claimed.ok).toBe(true);
    expect(claimed.checks.find(({ link }) => link === 'metrics')?.detail).toBe(
      "none is certified; 1 more are the publisher's word",
    );
  });

  test('privacy that the manifest does not promise', () => {
    const privacy = { mechanism: 'distributed-gaussian', epsilon: 1, delta: 1e-5 };
    expect(faultOf(files({ privacy }))).toBe(
      'the privacy: the manifest has mechanism none, the card says distributed-gaussian',
    );
    const own = { ...privacy, mechanism: 'dp-sgd of every peer' };
    expect(verifyCard(files({ privacy: own })).ok).toBe(true);
  });
});

describe('of the chain behind it', () => {
  /** The card as a forger would make it, so that the chain alone can give it away. */
  const over = (chain: readonly Certificate[], model = MODEL): CardFiles => {
    const proof = proofOf(chain);
    const card = { ...cardOfJob(model), proof: sized(proof) };
    return { card: signed(card), model, proof };
  };
  const [first, second] = chainOf() as [Certificate, Certificate];
  const resigned = (change: Partial<Certificate['statement']>, of = second): Certificate => {
    const statement = { ...of.statement, ...change };
    const signatures = KEYS.slice(0, 3).map((key, member) => {
      return { member, signature: signStatement(statement, key) };
    });
    return { statement, signatures };
  };

  test('forged: a number changed after it was signed, a signature of another', () => {
    const metrics = { ...second.statement.metrics, correct: 99 };
    const changed = { ...second, statement: { ...second.statement, metrics } };
    const [peer] = second.statement.roster;
    expect(faultOf(over([first, changed]))).toBe(
      'certificate of round 2: no quorum of signatures: 0 hold, 3 are needed; ' +
        `that of ${peer} does not hold`,
    );
    const [a, b, c] = second.signatures;
    const swapped = { ...c!, signature: b!.signature };
    const third = second.statement.roster[2];
    expect(faultOf(over([first, { ...second, signatures: [a!, b!, swapped] }]))).toBe(
      `certificate of round 2: no quorum of signatures: 2 hold, 3 are needed; that of ${third} ` +
        'does not hold',
    );
  });

  test('cut: at the beginning, in the middle, at the end', () => {
    expect(faultOf(over([second]))).toBe(
      "certificate of round 1: is missing, round 2's stands in its place",
    );
    const third = resigned({ round: 3, parent: statementHash(second.statement) });
    expect(faultOf(over([first, third]))).toBe(
      "certificate of round 2: is missing, round 3's stands in its place",
    );
    expect(faultOf(over([first]))).toBe(
      'the weights in the model are not those certified in round 1',
    );
    // Cut where the state is that of the model: only the card tells that there was more.
    expect(faultOf({ ...over([first], modelAfter(0.25)) })).toBe(
      'the lineage: the chain ends in round 1, the card says 2',
    );
  });

  test('reordered, and a round twice', () => {
    expect(faultOf(over([second, first]))).toBe(
      "certificate of round 1: stands in place 2, round 2's stands in its place",
    );
    expect(faultOf(over([first, first]))).toBe(
      "certificate of round 2: is missing, round 1's stands in its place",
    );
  });

  test('swapped: a parent, a job, a roster, a state', () => {
    const parent = 'ab'.repeat(32) as CertificateHash;
    expect(faultOf(over([first, resigned({ parent })]))).toBe(
      "certificate of round 2: parent is not round 1's",
    );
    expect(faultOf(over([resigned({ parent }, first), second]))).toBe(
      'certificate of round 1: parent is not the job',
    );
    const jobId = 'cd'.repeat(32) as JobId;
    expect(faultOf(over([first, resigned({ jobId })]))).toBe(
      'certificate of round 2: belongs to job cdcdcdcdcdcd',
    );
    const roster = second.statement.roster.toReversed() as PeerId[];
    expect(faultOf(over([first, resigned({ roster })]))).toBe(
      'certificate of round 2: roster not in order',
    );
    const stateHash = 'ef'.repeat(32) as BlobHash;
    expect(faultOf(over([first, resigned({ stateHash })]))).toBe(
      'the weights in the model are not those certified in round 2',
    );
  });

  test('a chain of a manifest that another signed', () => {
    const manifest = signManifest({ ...MANIFEST, name: 'other' }, KEYS[1]!);
    const proof = proofOf(chainOf(), { manifest });
    const card = signed({ ...cardOfJob(), proof: sized(proof) });
    expect(faultOf({ card, model: MODEL, proof })).toBe(
      `certificate of round 1: belongs to job ${JOB.slice(0, 12)}`,
    );
  });
});

test('privacy that a manifest promises is computed again', () => {
  const noisy = {
    ...MANIFEST,
    privacy: {
      ...NO_PRIVACY,
      ...{ mechanism: 'distributed-gaussian' as const, noiseMultiplier: 1 },
      ...{ delta: 1e-5, updatesMax: 2 },
    },
  };
  const manifest = signManifest(noisy, KEYS[0]!);
  const job = readJob(manifest)!;
  const statement = {
    ...certify({ round: 1, parent: job.id as string as CertificateHash, model: MODEL }).statement,
    jobId: job.id,
  };
  const signatures = KEYS.slice(0, 3).map((key, member) => {
    return { member, signature: signStatement(statement, key) };
  });
  const chain = [{ statement, signatures }];
  const proof = proofOf(chain, { manifest });
  const privacy = privacyOf(job, MODEL)!;
  const made = (said: Card['privacy']): CardFiles => ({
    card: signed({
      ...{ ...plainCard(MODEL), proof: sized(proof), lineage: lineageOf(chain, job) },
      ...{ metrics: certifiedMetrics(chain, job), privacy: said },
    }),
    ...{ model: MODEL, proof },
  });
  expect(privacy.epsilon).toBeGreaterThan(0);
  expect(standings(made(privacy))).toContain('privacy: holds');
  const better = { ...privacy, epsilon: privacy.epsilon / 2 };
  expect(faultOf(made(better))).toMatch(/^the privacy: the manifest gives ε \d.* the card says/);
});

describe('of its parents', () => {
  const origin = published(plainCard(LAUNCHED, 'origin'));
  const stranger = published(plainCard(modelAfter(0.75), 'stranger'));
  const parentsOf = (...ids: readonly CardId[]) => ({ parents: ids });

  test('a fork: the job was launched with the model of a parent', () => {
    const given = files(parentsOf(origin.id), { parents: [{ card: origin.bytes }] });
    expect(standings(given)).toContain('parents: holds');
    expect(standings(files(parentsOf(origin.id)))).toContain('parents: not checked');
  });

  test('a parent that the job was not launched from', () => {
    const given = files(parentsOf(stranger.id), { parents: [{ card: stranger.bytes }] });
    expect(faultOf(given)).toBe(
      `the parents: the job was launched with model ${hashHex(LAUNCHED).slice(0, 12)}, ` +
        "which is no parent's",
    );
  });

  test('a parent swapped for another card, forged, or with another file', () => {
    const parents = parentsOf(origin.id);
    expect(faultOf(files(parents, { parents: [{ card: stranger.bytes }] }))).toBe(
      `parent stranger@1: the card does not name ${stranger.id.slice(0, 12)}`,
    );
    const forged = origin.bytes.slice();
    forged[forged.length - 1]! ^= 1;
    expect(faultOf(files(parents, { parents: [{ card: forged }] }))).toBe(
      "parent 1: the signature is not its publisher's",
    );
    const given = [{ card: origin.bytes, model: MODEL }];
    expect(faultOf(files(parents, { parents: given }))).toBe(
      'parent origin@1: the model file is not the one that its card names',
    );
  });

  test('an average is made again, to the byte', () => {
    const recipe = {
      kind: 'average' as const,
      parts: [
        { card: origin.id, weight: 1 },
        { card: stranger.id, weight: 2 },
      ],
    };
    const averaged = (model: Uint8Array) => ({
      ...plainCard(model),
      parents: [origin.id, stranger.id],
    });
    const mean = averageModels([
      { model: LAUNCHED, weight: 1 },
      { model: modelAfter(0.75), weight: 2 },
    ]);
    const card = signed({ ...averaged(mean), recipe });
    const parents = [
      { card: stranger.bytes, model: modelAfter(0.75) },
      { card: origin.bytes, model: LAUNCHED },
    ];
    const given = { card, model: mean, parents };
    expect(standings(given)).toEqual(expect.arrayContaining(['recipe: holds', 'parents: holds']));
    const other = modelAfter(0.5);
    const swapped = [{ card: stranger.bytes, model: LAUNCHED }, parents[1]!];
    expect(faultOf({ ...given, parents: swapped })).toMatch(/the model file is not the one/);
    const wrong = { ...given, card: signed({ ...averaged(other), recipe }), model: other };
    expect(faultOf(wrong)).toMatch(/^the recipe: it gives /);
    const oneAway = { ...given, parents: parents.slice(1) };
    expect(standings(oneAway)).toContain('recipe: not checked');
  });
});
