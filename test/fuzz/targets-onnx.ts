/** What is done with a foreign model before anybody runs it: described, differentiated, kept. */
import { readFileSync } from 'node:fs';
import { ConfigError, equalBytes, ProtocolError } from '@starling/core';
import { inferenceModel, readModel, writeModel } from '@starling/onnx';
import { describeModel } from '../../packages/autodiff/src/describe.ts';
import { optimizerSettings } from '../../packages/autodiff/src/optimizers.ts';
import { buildStepGraph } from '../../packages/autodiff/src/step-graph.ts';
import { zooModel } from '../../packages/autodiff/src/zoo.ts';
import { promise, type Target } from './target.ts';

/** Small enough to be mutated whole, and of all kinds of operators. */
const FIXTURES = ['binary', 'mlp', 'regression', 'lenet', 'transformer', 'lstm', 'batchnorm-cnn'];
const fixture = (name: string): Uint8Array =>
  readFileSync(new URL(`../fixtures/autodiff/${name}/model.onnx`, import.meta.url));

const seeds = (names = FIXTURES): readonly Uint8Array[] => [
  ...names.map(fixture),
  writeModel(zooModel('logistic', 1)),
];

/** What a foreign model may do, whoever looks at it: be refused by name. */
const isRefusal = (error: unknown): boolean =>
  error instanceof ProtocolError || error instanceof ConfigError;

const described: Target = {
  name: 'autodiff.describeModel',
  format: 'protobuf',
  seeds: seeds(),
  // Both passes of a model whose file only describes its weights.
  memoryBase: 256 * 2 ** 20,
  refuses: isRefusal,
  run: (bytes) => {
    const { layout, initial, warnings } = describeModel(readModel(bytes));
    const length = layout.parameters + layout.buffers;
    promise(initial.length === length, `${initial.length} numbers for a vector of ${length}`);
    return `described, ${warnings.length} warnings`;
  },
};

const differentiated: Target = {
  name: 'autodiff.buildStepGraph',
  format: 'protobuf',
  // The transformer was exported for a batch of its own size.
  seeds: seeds(FIXTURES.filter((name) => name !== 'transformer')),
  memoryBase: 256 * 2 ** 20,
  refuses: isRefusal,
  run: (bytes) => {
    const model = readModel(bytes);
    const optimizer = optimizerSettings('adam');
    const step = buildStepGraph({ model, loss: 'mean-squared-error', batchSize: 2, optimizer });
    // What was built is a model again: names, types and order fit.
    const again = readModel(writeModel(step.model));
    promise(again.graph.outputs.length > 0, 'a training graph without outputs');
    return 'built';
  },
};

const inference: Target = {
  name: 'onnx.inferenceModel',
  format: 'protobuf',
  seeds: seeds(),
  memoryBase: 64 * 2 ** 20,
  run: (bytes) => {
    const once = inferenceModel(bytes);
    promise(equalBytes(inferenceModel(once), once), 'the form for inference has another one');
    return 'converted';
  },
};

export const onnxTargets = (): readonly Target[] => [described, differentiated, inference];
