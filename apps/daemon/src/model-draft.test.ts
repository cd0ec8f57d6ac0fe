import { cardFileSchema } from '@starling/control';
import { signManifest } from '@starling/protocol-rounds';
import { describe, expect, test } from 'vitest';
import {
  chainOf,
  JOB,
  KEYS,
  MANIFEST,
  modelAfter,
  proofOf,
} from '../../../packages/models/src/testing/hand-made-job.ts';
import { draftCard } from './model-draft.ts';

const MODEL = modelAfter(0.5);
const draft = (card: object, proof: Uint8Array | undefined, model = MODEL) =>
  draftCard({ file: cardFileSchema.parse(card), model, proof, parents: [] });

test('of a proof come lineage, certified metrics, name and task', () => {
  const claimed = [{ name: 'f1', value: 0.8, on: 'my scans' }];
  expect(draft({ metrics: claimed }, proofOf(chainOf()))).toMatchObject({
    ...{ name: 'by-hand', task: 'mnist', access: 'open', recipe: null, privacy: null },
    lineage: { job: JOB, round: 2, launcher: KEYS[0]!.peerId },
    inputs: [{ type: 'float32', shape: [0, 784] }],
    metrics: [
      { name: 'accuracy', value: 0.9, certified: 2 },
      { name: 'loss', value: 0.5, certified: 2 },
      { name: 'f1', value: 0.8, on: 'my scans', certified: null },
    ],
  });
  expect(draft({ name: 'mine', task: 'digits' }, proofOf(chainOf()))).toMatchObject({
    ...{ name: 'mine', task: 'digits' },
  });
});

test('without a proof, or with one that leads nowhere yet, nothing is claimed', () => {
  const nothing = { proof: null, lineage: null, metrics: [] };
  expect(draft({ name: 'mine' }, undefined)).toMatchObject({ ...nothing, task: '' });
  expect(draft({ name: 'mine' }, proofOf([]))).toMatchObject(nothing);
});

describe('a name', () => {
  const nameFor = (name: string) => {
    const manifest = signManifest({ ...MANIFEST, name }, KEYS[0]!);
    return draft({}, proofOf([], { manifest })).name;
  };

  test.each([
    ['MNIST (5 peers)', 'mnist-5-peers'],
    ['Été à l’hôpital', 'ete-a-l-hopital'],
    ['--x', 'x'],
    ['a'.repeat(128), 'a'.repeat(64)],
  ])('of the job %s', (name, wanted) => expect(nameFor(name)).toBe(wanted));

  test('must be given where there is none', () => {
    expect(() => draft({}, undefined)).toThrow('card.name: the model has no name. Give it one');
    expect(() => nameFor('数字')).toThrow('card.name: the job\'s name "数字" is none for a card');
  });
});

test('files that are none are refused by their key', () => {
  const noise = new Uint8Array([1, 2, 3]);
  expect(() => draft({ name: 'a' }, noise)).toThrow(/^proof: the proof is malformed/);
  expect(() => draft({ name: 'a' }, undefined, noise)).toThrow(/^model: cannot be read: /);
});
