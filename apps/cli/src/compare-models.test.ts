import { initialVector } from '@starling/autodiff';
import { readModel, writeModel } from '@starling/onnx';
import { zooModel } from '@starling/trainer';
import { describe, expect, test } from 'vitest';
import {
  certify,
  chainOf,
  JOB,
  LAUNCHED,
  modelAfter,
  proofOf,
} from '../../../packages/models/src/testing/hand-made-job.ts';
import { type ComparedFile, compareModels } from './compare-models.ts';

const CHAIN = chainOf();
const launched: ComparedFile = { model: LAUNCHED, proof: undefined };
const first: ComparedFile = { model: modelAfter(0.25), proof: proofOf(CHAIN.slice(0, 1)) };
const second: ComparedFile = { model: modelAfter(0.5), proof: proofOf(CHAIN) };

describe('weights', () => {
  test('of two rounds are as far apart as every element moved', () => {
    const { identical, graphsEqual, weights, norm, onlyFirst } = compareModels(first, second);
    const elements = initialVector(readModel(LAUNCHED)).length;
    expect({ identical, graphsEqual, onlyFirst }).toEqual({
      ...{ identical: false, graphsEqual: true, onlyFirst: [] },
    });
    expect(weights.reduce((sum, each) => sum + each.elements, 0)).toBe(elements);
    for (const { greatest, norm: own, elements: count } of weights) {
      expect(greatest).toBeCloseTo(0.25, 6);
      expect(own).toBeCloseTo(0.25 * Math.sqrt(count), 4);
    }
    expect(norm).toBeCloseTo(0.25 * Math.sqrt(elements), 3);
  });

  test('of the same file are not apart', () => {
    const { identical, norm, relative } = compareModels(second, second);
    expect({ identical, norm, relative }).toEqual({ identical: true, norm: 0, relative: 0 });
  });

  test('of another architecture are named, not compared', () => {
    const other = { model: writeModel(zooModel('cnn', 1)), proof: undefined };
    const { graphsEqual, onlyFirst, onlySecond } = compareModels(launched, other);
    expect(graphsEqual).toBe(false);
    expect(onlyFirst.length).toBeGreaterThan(0);
    expect(onlySecond.length).toBeGreaterThan(0);
  });
});

describe('where two models come from', () => {
  const relationOf = (a: ComparedFile, b: ComparedFile) => compareModels(a, b).relation;

  test('one job, an earlier and a later round', () => {
    const wanted = { kind: 'same-job', job: JOB, rounds: [1, 2], common: 1 };
    expect(relationOf(first, second)).toEqual(wanted);
    expect(relationOf(second, second)).toEqual({ kind: 'same-round', job: JOB, round: 2 });
  });

  test('the file that a job was launched with, and what became of it', () => {
    expect(relationOf(launched, second)).toEqual({ kind: 'launched-from', job: JOB, round: 2 });
  });

  test('two branches of one job part where they part', () => {
    const [one] = CHAIN;
    const parent = CHAIN[1]!.statement.parent;
    const fork = certify({ round: 2, parent, model: modelAfter(0.75) });
    const branch = { model: modelAfter(0.75), proof: proofOf([one!, fork]) };
    expect(relationOf(second, branch)).toMatchObject({ kind: 'same-job', common: 1 });
  });

  test('is not known without a proof that holds, and why is said', () => {
    const bare = { model: second.model, proof: undefined };
    expect(relationOf(first, bare)).toMatchObject({ reason: 'the second has no proof' });
    const wrong = { model: modelAfter(0.3), proof: second.proof };
    const { reason } = relationOf(first, wrong) as { reason: string };
    expect(reason).toMatch(/^the second: the weights in the model are not those certified/);
    const torn = { model: second.model, proof: new Uint8Array(3) };
    expect(relationOf(first, torn)).toMatchObject({ kind: 'unknown' });
  });
});
