import { type JobId, utf8 } from '@starling/core';
import { openTarget, type Target } from '@starling/storage';
import { beforeEach, expect, test } from 'vitest';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import { modelName, proofName } from './checkpoint-names.ts';
import { writeCheckpoint } from './checkpoint-task.ts';

const JOB = 'ab'.repeat(32) as JobId;
const [MODEL, PROOF] = [modelName(JOB, 3), proofName(JOB, 3)];
const files = (model: string, proof = `proof of ${model}`) => ({
  ...{ model: utf8(model), proof: utf8(proof) },
});

let target: Target;
let changes: string[];
beforeEach(async () => {
  const real = await openTarget('checkpoints.to', await temporaryDirectory());
  changes = [];
  const short = (name: string) => (name.endsWith('.proof') ? 'proof' : 'model');
  target = {
    ...{ name: real.name, holds: real.holds.bind(real), get: real.get.bind(real) },
    ...{ has: real.has.bind(real), list: real.list.bind(real), close: real.close.bind(real) },
    put: (name, bytes) => {
      changes.push(`put ${short(name)}`);
      return real.put(name, bytes);
    },
    delete: (name) => {
      changes.push(`delete ${short(name)}`);
      return real.delete(name);
    },
  };
});

const write = (...given: Parameters<typeof files>) =>
  writeCheckpoint(target, JOB, 3, files(...given));
const text = async (name: string) => Buffer.from((await target.get(name))!).toString();

test('the proof is there before its model', async () => {
  expect(await write('a')).toBe(true);
  expect(changes).toEqual(['put proof', 'put model']);
});

test('a model that another peer wrote stays, with the signatures that this one has', async () => {
  await write('a', 'signed by one and two');
  changes.length = 0;
  expect(await write('a', 'signed by two and three')).toBe(false);
  expect(changes).toEqual([]);
  expect(await text(PROOF)).toBe('signed by one and two');
});

test('a model that was rolled back goes before the proof of the new one comes', async () => {
  await write('a');
  changes.length = 0;
  expect(await write('b')).toBe(true);
  expect(changes).toEqual(['delete model', 'put proof', 'put model']);
  expect([await text(MODEL), await text(PROOF)]).toEqual(['b', 'proof of b']);
});

test('a proof that is gone is written again', async () => {
  await write('a');
  await target.delete(PROOF);
  expect(await write('a')).toBe(true);
  expect(await text(PROOF)).toBe('proof of a');
});
