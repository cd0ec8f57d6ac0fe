import type { JobId } from '@starling/core';
import { expect, test } from 'vitest';
import { modelName, outdated, proofName } from './checkpoint-names.ts';

const JOB = 'ab'.repeat(32) as JobId;
const inFolder = (name: string) => name.slice(name.indexOf('/') + 1);
const pair = (round: number) => [modelName(JOB, round), proofName(JOB, round)].map(inFolder);

test('names sort by round, and a proof stands beside its model', () => {
  expect(modelName(JOB, 12)).toBe(`${JOB}/round-000012.onnx`);
  expect(proofName(JOB, 12)).toBe(`${JOB}/round-000012.onnx.proof`);
});

test('of the rounds that are there the newest are kept, whatever else lies there', () => {
  const others = ['round-1.onnx', 'round-000001.onnx.bak', 'notes.txt', '.round-000001.onnx.part'];
  const names = [...[12, 3, 1_000_001, 7].flatMap(pair), ...others];
  expect(outdated(names, 2)).toEqual([3, 7]);
  expect(outdated(names, 4)).toEqual([]);
  expect(outdated(others, 1)).toEqual([]);
  expect(outdated([], 1)).toEqual([]);
});

test('a proof alone goes when it is old, and stays when its model may still come', () => {
  const [model, proof] = pair(5);
  expect(outdated([model!, proof!, pair(3)[1]!, pair(6)[1]!], 1)).toEqual([3]);
});
