/** Everything that reads files and requests: models, data sets, states, the API, configuration. */
import { readFileSync } from 'node:fs';
import { ConfigError, equalBytes, ProtocolError } from '@starling/core';
import { parsePeerId, peerIdOf, publicKeyOf } from '@starling/crypto';
import { decodeState, encodeState } from '@starling/federation';
import {
  GraphBuilder,
  int64s,
  MODEL_LIMITS,
  type Model,
  readModel,
  replayGraph,
  tensorOf,
  writeModel,
} from '@starling/onnx';
import { z } from 'zod';
import { configSchema, parseConfig, withOverrides } from '../../apps/daemon/src/config.ts';
import { dataSchema } from '../../packages/control/src/data-schema.ts';
import { errorOf } from '../../packages/control/src/failure.ts';
import { modelSearchSchema, publishSchema } from '../../packages/control/src/models-schema.ts';
import { approveSchema, jobFileSchema, launchSchema } from '../../packages/control/src/schemas.ts';
import { serveSchema } from '../../packages/control/src/serving-schema.ts';
import { readRequest } from '../../packages/serving/src/http/open-inference.ts';
import { bytesOf } from '../../packages/serving/src/tensors.ts';
import { readIdx, writeIdx } from '../../packages/trainer/src/idx.ts';
import { promise, type Target } from './target.ts';

const text = (value: string): Uint8Array => new Uint8Array(Buffer.from(value));
const json = (value: unknown): Uint8Array => text(JSON.stringify(value));
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

/** Two products, a pooling and the plumbing that exporters leave behind; folds and is inferred. */
function smallModel(): Model {
  const b = new GraphBuilder();
  const x = b.input('x', { dtype: 'float32', shape: [1, 1, 4, 4] });
  const kernel = b.constant(tensorOf('float32', [2, 1, 3, 3], new Float32Array(18).fill(0.1)), 'k');
  const shape = b.constant(int64s([1, -1]), 'shape');
  const weight = b.constant(tensorOf('float32', [8, 3], new Float32Array(24).fill(0.5)), 'w');
  const conv = b.add('Conv', [x, kernel], { strides: { kind: 'ints', value: [1, 1] } });
  const flat = b.add('Reshape', [b.add('Relu', [conv]), shape]);
  return { graph: b.finish('small', [b.named(b.add('MatMul', [flat, weight]), 'y')]) };
}

/** The model as the trainer reads it, with every open dimension 1. */
function replay({ graph }: Model): void {
  const builder = new GraphBuilder();
  const bindings = graph.inputs.map(({ name, dtype, shape }) => {
    const known = shape.map((dim) => (typeof dim === 'number' ? dim : 1));
    return [name, builder.input(name, { dtype, shape: known })] as const;
  });
  replayGraph(graph, { builder, bindings: new Map(bindings) });
}

const fixture = (name: string): Uint8Array =>
  readFileSync(new URL(`../fixtures/autodiff/${name}/model.onnx`, import.meta.url));

const readsModel: Target = {
  name: 'onnx.readModel',
  format: 'protobuf',
  // Folding makes a list of numbers and then a tensor of them.
  memoryBase: 24 * MODEL_LIMITS.foldTotalMax,
  seeds: [
    writeModel(smallModel()),
    ...['binary', 'mlp', 'regression', 'lenet', 'transformer', 'lstm', 'batchnorm-cnn'].map(
      fixture,
    ),
  ],
  run: (bytes) => {
    const model = readModel(bytes);
    const written = writeModel(model);
    const again = writeModel(readModel(written));
    promise(equalBytes(again, written), 'written, read and written again it differs');
    replay(model);
    return 'replayed';
  },
};

const idx: Target = {
  name: 'trainer.readIdx',
  format: 'words',
  seeds: [
    writeIdx({ shape: [3], data: new Uint8Array([1, 2, 3]) }),
    writeIdx({ shape: [2, 2, 2], data: new Uint8Array(8) }),
    writeIdx({ shape: [1, 1, 1, 4], data: new Uint8Array(4) }),
    writeIdx({ shape: [0, 7], data: new Uint8Array(0) }),
  ],
  run: (bytes) => {
    promise(equalBytes(writeIdx(readIdx(bytes, 'file')), bytes), 'writes other bytes');
    return 'read';
  },
};

const vector = (...values: number[]): Float32Array => Float32Array.from(values);
const state: Target = {
  name: 'federation.decodeState',
  format: 'words',
  seeds: [
    encodeState({ round: 0, model: vector(), trainable: 0, moments: [] }),
    encodeState({ round: 7, model: vector(1, -0, 1e-40), trainable: 2, moments: [vector(1, 2)] }),
    encodeState({ round: 1, model: vector(5), trainable: 1, moments: [vector(3), vector(4)] }),
  ],
  run: (bytes) => {
    promise(equalBytes(encodeState(decodeState(bytes)), bytes), 'encodes to other bytes');
    return 'read';
  },
};

const CARD_FILE = {
  ...{ name: 'digits', version: 2, task: 't', summary: 's', tags: ['a'], data: 'one\ntwo' },
  ...{ licence: 'MIT', parents: ['base@1'], metrics: [{ name: 'f1', value: 0.5, on: 'mine' }] },
  privacy: { mechanism: 'm', epsilon: 1, delta: 1e-5 },
};
const JOB_FILE = {
  name: 'mnist',
  model: 'zoo:mlp',
  data: { task: 'mnist', input: { dtype: 'float32', shape: [784] }, classes: 10 },
  training: { epochs: 1, batchSize: 32, learningRate: 0.1 },
  admission: { minPeers: 3, maxPeers: 64 },
  stop: { rounds: 10 },
};
const planOf = (shape: number[], reading: object) => ({
  ...{ files: 1, bytes: 9, count: 2, shape, histogram: [1, 1], reading },
});
const offerOf = (plan: object) => ({
  ...{ name: 'a', path: '/b', plan, augment: { flip: true, crop: 4, noise: 0.5 } },
  schema: {
    ...{ task: 't', input: { dtype: 'float32', shape: [4] }, target: 'classes', classes: 2 },
  },
});
/** One data set for each way of reading. */
const OFFERS = [
  offerOf({
    ...planOf([4], {
      ...{ kind: 'table', rows: [2] },
      columns: { features: ['x'], labels: ['y'], labelsAre: 'names' },
    }),
    ...{ format: 'csv', elements: { dtype: 'float32', shift: [0.5], factor: [2] } },
    target: { kind: 'classes', count: 2, names: ['no', 'yes'] },
  }),
  offerOf({
    ...planOf([4], { kind: 'arrays', inputs: 'x', targets: null }),
    ...{ format: 'npz', elements: { dtype: 'uint8', scale: 0.5 }, target: { kind: 'none' } },
  }),
  offerOf({
    ...planOf([2, 2], { kind: 'images' }),
    ...{ format: 'images', elements: { dtype: 'uint8', scale: 0.5 } },
    target: { kind: 'numbers', width: 1 },
  }),
  offerOf({
    ...planOf([4], {
      ...{ kind: 'text', unit: { kind: 'tokenizer', path: '/t.json' }, alphabet: ['ß'] },
      blocks: [{ path: 'p', start: 0, end: 9, tokens: 9 }],
    }),
    ...{ format: 'text', elements: { dtype: 'int32' } },
    target: { kind: 'sequence', count: 80, length: 4 },
  }),
];
const CONFIG = {
  network: 'home',
  listen: ['/ip4/127.0.0.1/tcp/0'],
  policy: { trust: [peerIdOf(new Uint8Array(32).fill(3))], minPeers: 3 },
  resources: { trainer: { memory: '2 GiB', cpuThreads: 2 } },
};

const isRefusal = (error: unknown): boolean =>
  error instanceof z.ZodError || error instanceof ProtocolError || error instanceof ConfigError;
/** Bytes that are no JSON never reach a schema. */
const isJsonRefusal = (error: unknown): boolean => error instanceof SyntaxError || isRefusal(error);
const polluted = (): boolean => 'polluted' in {} || 'isAdmin' in {};

function schemaTarget(name: string, schema: z.ZodType, seeds: readonly unknown[]): Target {
  return {
    name: `control.${name}`,
    format: 'json',
    seeds: seeds.map(json),
    refuses: isJsonRefusal,
    run: (bytes) => {
      const value = schema.parse(JSON.parse(textOf(bytes)));
      // Defaults are filled in once: what was accepted is accepted again, the same.
      const again = schema.parse(value);
      promise(JSON.stringify(again) === JSON.stringify(value), 'parsed again it differs');
      promise(!polluted(), 'a prototype was changed');
      return 'parsed';
    },
  };
}

const configFile: Target = {
  name: 'daemon.parseConfig',
  format: 'json',
  // JSON is YAML; aliases, tags and merges are YAML's own.
  seeds: [json(CONFIG), text('network: a\nlisten: &x [a]\nannounce: *x\n')],
  refuses: (error) => error instanceof ConfigError,
  run: (bytes) => {
    const config = parseConfig(textOf(bytes), 'file');
    promise(configSchema.safeParse(config).success, 'what was parsed does not fit the schema');
    return 'parsed';
  },
};

const overrides: Target = {
  name: 'daemon.withOverrides',
  format: 'json',
  seeds: [json(CONFIG), json({ policy: { minPeers: 4 } }), json({ log: 'debug' })],
  refuses: (error) => error instanceof ConfigError,
  run: (bytes) => {
    withOverrides(configSchema.parse({}), [textOf(bytes)]);
    return 'merged';
  },
};

const peerId: Target = {
  name: 'crypto.parsePeerId',
  format: 'words',
  seeds: [0, 1, 255].map((byte) => text(peerIdOf(new Uint8Array(32).fill(byte)))),
  run: (bytes) => {
    const peer = parsePeerId(textOf(bytes));
    if (peer === undefined) return 'none';
    promise(peerIdOf(publicKeyOf(peer)) === textOf(bytes), 'another spelling of the same key');
    return 'peer';
  },
};

const failure: Target = {
  name: 'control.errorOf',
  format: 'json',
  seeds: [json({ error: 'key: bad', code: 'config', key: 'key' }), json({ error: 'x', code: 'y' })],
  refuses: isJsonRefusal,
  run: (bytes) => errorOf(JSON.parse(textOf(bytes))).name,
};

const INPUT = { name: 'x', shape: [2, 2], datatype: 'FP32', data: [1, 2.5, -3, 4] };

const inference: Target = {
  name: 'serving.readRequest',
  format: 'json',
  seeds: [
    { inputs: [INPUT] },
    {
      id: '7',
      inputs: [
        {
          ...INPUT,
          data: [
            [1, 2],
            [3, 4],
          ],
        },
      ],
      outputs: [{ name: 'y' }],
    }, // pairs
    { inputs: [{ ...INPUT, shape: [4], datatype: 'INT64', data: [1, 2, 3, 4] }] },
    { inputs: [{ ...INPUT, shape: [1], datatype: 'BOOL', data: [true] }], parameters: {} },
  ].map(json),
  run: (bytes) => {
    const { request } = readRequest(bytes, undefined);
    for (const tensor of request.inputs) {
      promise(tensor.bytes.length === bytesOf(tensor), 'data of another length than the shape has');
    }
    promise(!polluted(), 'a prototype was changed');
    return 'read';
  },
};

const SERVE = {
  name: 'digits',
  source: { kind: 'job', job: 'mnist' },
  options: { maxBatch: 8, quota: null },
};

export function fileTargets(): readonly Target[] {
  const launch = { job: JOB_FILE, model: 'AAAA' };
  return [
    readsModel,
    idx,
    state,
    peerId,
    schemaTarget('jobFileSchema', jobFileSchema, [JOB_FILE]),
    schemaTarget('launchSchema', launchSchema, [launch]),
    schemaTarget('dataSchema', dataSchema, OFFERS),
    schemaTarget('publishSchema', publishSchema, [{ card: CARD_FILE, job: 'j' }]),
    schemaTarget('modelSearchSchema', modelSearchSchema, [
      { text: 'a', input: [1, 28], tags: ['b'] },
    ]),
    schemaTarget('approveSchema', approveSchema, [{ dataset: 'a' }, {}]),
    schemaTarget('serveSchema', serveSchema, [SERVE]),
    inference,
    failure,
    configFile,
    overrides,
  ];
}
