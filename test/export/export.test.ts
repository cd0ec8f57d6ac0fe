import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  applyVector,
  buildForwardGraph,
  createGenerator,
  initialVector,
  ZOO,
  zooModel,
} from '@starling/autodiff';
import { elementCount, inferenceModel, readModel, writeModel } from '@starling/onnx';
import * as web from 'onnxruntime-web';
import { describe, expect, test } from 'vitest';
import { createSession, loadOrt } from '../../packages/trainer/src/ort.ts';
import { installed } from '../helpers/debian.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';

web.env.wasm.numThreads = 1;
const isFull = process.env['STARLING_TEST_SIZE'] === 'full';
const BATCH = 3;

const fixture = (name: string): Uint8Array =>
  readFileSync(new URL(`../fixtures/autodiff/${name}/model.onnx`, import.meta.url));

/** Of the zoo, and what PyTorch exported in training mode. */
const MODELS: readonly (readonly [string, () => Uint8Array])[] = [
  ...ZOO.map((name) => [`zoo:${name}`, () => writeModel(zooModel(name, 1))] as const),
  ...['batchnorm-cnn', 'lenet', 'lstm', 'mlp', 'regression', 'transformer'].map(
    (name) => [name, () => fixture(name)] as const,
  ),
];

/** The file with other weights than those it came with, as it is after training. */
function trained(file: Uint8Array): Uint8Array {
  const generator = createGenerator(9);
  const vector = initialVector(readModel(file)).map((value) => value + 0.01 * generator.uniform());
  return inferenceModel(applyVector(file, vector));
}

/** One batch for a model's only input. */
function batchFor(file: Uint8Array) {
  const [input] = readModel(file).graph.inputs;
  const example = input!.shape.slice(1).map((size) => (typeof size === 'number' ? size : 1));
  const [batch] = input!.shape;
  // Some exporters fix it.
  const count = typeof batch === 'number' ? batch : BATCH;
  const generator = createGenerator(4);
  const numbers = Array.from({ length: count * elementCount(example) }, () =>
    input!.dtype === 'float32' ? generator.uniform() - 0.5 : generator.below(20),
  );
  return { name: input!.name, dtype: input!.dtype, count, example, numbers };
}

describe.each(MODELS)('%s', (_, file) => {
  test('means in onnxruntime-web what it means here', async () => {
    const exported = trained(file());
    const { name, dtype, count, example, numbers } = batchFor(exported);
    const dims = [count, ...example];
    const session = await web.InferenceSession.create(exported, { executionProviders: ['wasm'] });
    const fed =
      dtype === 'int64'
        ? new web.Tensor('int64', BigInt64Array.from(numbers, BigInt), dims)
        : new web.Tensor('float32', Float32Array.from(numbers), dims);
    const results = await session.run({ [name]: fed });
    const there = results[session.outputNames[0]!]!;
    await session.release();

    const { Tensor } = await loadOrt();
    const own = dtype === 'int64' ? 'int32' : 'float32';
    const model = readModel(exported);
    const graph = buildForwardGraph({
      ...{ model, batchSize: count, data: { dtype: own, example, scale: 1 } },
    });
    const ours = await createSession(graph.model, 1);
    const typed = own === 'int32' ? Int32Array.from(numbers) : Float32Array.from(numbers);
    const fedHere = { [graph.input]: new Tensor(own, typed, dims) };
    const here = (await ours.run(fedHere))[graph.output];
    await ours.release();

    expect(there.dims).toEqual(here!.dims);
    const values = there.data as Float32Array;
    for (const [i, value] of (here!.data as Float32Array).entries()) {
      expect(Math.abs(values[i]! - value)).toBeLessThanOrEqual(1e-4 * Math.max(1, Math.abs(value)));
    }
  });
});

test('nothing in an exported file trains', () => {
  for (const [, file] of MODELS) {
    for (const { op, attributes, inputs, outputs } of readModel(trained(file())).graph.nodes) {
      if (op === 'BatchNormalization') {
        expect(attributes.get('training_mode') ?? { value: 0 }).toMatchObject({ value: 0 });
        expect(outputs).toHaveLength(1);
      }
      if (op === 'Dropout') expect(inputs.length).toBeLessThan(3);
    }
  }
});

function missingChecker(): string | undefined {
  if (!isFull) return 'full size only';
  const works = () => spawnSync('/usr/bin/python3', ['-c', 'import onnx']).status === 0;
  return installed(['python3-onnx'], works, 'needs python3-onnx');
}

test("ONNX's own checker accepts every exported file", async () => {
  const missing = missingChecker();
  if (missing !== undefined) return console.log(`skipped: ONNX's checker: ${missing}`);
  const folder = await temporaryDirectory();
  const files = await Promise.all(
    MODELS.map(async ([name, file]) => {
      const path = join(folder, `${name.replace(':', '-')}.onnx`);
      await writeFile(path, trained(file()));
      return path;
    }),
  );
  const script = fileURLToPath(new URL('./check.py', import.meta.url));
  const { status, stdout, stderr } = spawnSync('/usr/bin/python3', [script, ...files], {
    encoding: 'utf8',
  });
  console.log(stdout);
  expect(stderr).toBe('');
  expect(status).toBe(0);
});
