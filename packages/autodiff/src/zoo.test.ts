import { readModel, writeModel } from '@starling/onnx';
import { expect, test } from 'vitest';
import { GPU_LACKS } from '../../../test/helpers/gradient-check.ts';
import {
  buildStepGraph,
  describeModel,
  trainableParameters,
  vectorLength,
  ZOO,
  type ZooName,
  zooModel,
} from './index.ts';

const WEIGHTS: ReadonlyMap<ZooName, number> = new Map([
  ['logistic', 7_850],
  ['mlp', 199_210],
  ['cnn', 80_202],
  ['fedavg-cnn', 1_663_370],
  ['resnet20', 269_722],
  ['mobilenet', 37_162],
  ['char-lstm', 819_920],
  ['gpt', 114_432],
]);

test.each([...WEIGHTS])('%s has %i weights and trains', (name, weights) => {
  const model = zooModel(name, 1);
  expect(vectorLength(trainableParameters(model))).toBe(weights);
  describeModel(model);
});

test.each(ZOO)('%s follows from its seed and reads back the same', (name) => {
  const bytes = writeModel(zooModel(name, 7));
  const same = (other: Uint8Array) => Buffer.compare(bytes, other) === 0;
  expect(same(writeModel(zooModel(name, 7)))).toBe(true);
  expect(same(writeModel(zooModel(name, 8)))).toBe(false);
  expect(same(writeModel(readModel(bytes)))).toBe(true);
});

test.each(ZOO)('the training graph of %s holds no operator that GPUs lack', (name) => {
  const { model } = buildStepGraph({
    model: zooModel(name, 1),
    loss: 'softmax-cross-entropy',
    batchSize: 2,
  });
  expect(model.graph.nodes.map(({ op }) => op).filter((op) => GPU_LACKS.has(op))).toEqual([]);
});
