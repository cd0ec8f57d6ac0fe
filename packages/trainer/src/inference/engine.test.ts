import { zooModel } from '@starling/autodiff';
import type { ProtocolError } from '@starling/core';
import {
  type DataType,
  type Dimension,
  type Graph,
  int,
  type Node,
  tensorOf,
  writeModel,
} from '@starling/onnx';
import { describe, expect, onTestFinished, test } from 'vitest';
import { silentLog } from '../../../../test/helpers/parts.ts';
import { node } from '../../../../test/helpers/small-graphs.ts';
import { until } from '../../../../test/helpers/until.ts';
import { probeCage } from '../cage.ts';
import { createInference, type InferenceEngine, type RunInput, type RunResult } from './engine.ts';

const childEntry = new URL('../../../../apps/cli/dist/inference-child.js', import.meta.url);

/** Found out once for all tests. */
const support = probeCage(childEntry);

function inference() {
  const made = createInference({
    childEntry,
    log: silentLog,
    backoffMs: 20,
    support: () => support,
  });
  onTestFinished(() => made.close());
  return made;
}
const open = (model: Uint8Array): Promise<InferenceEngine> => inference().open(model);

/** A file of one or more nodes from `x`, and maybe `d`, to `y`. */
function file(nodes: readonly Node[], dtype: DataType, shape: readonly Dimension[], two = false) {
  const graph: Graph = {
    ...{ name: 'test', nodes, initializers: new Map() },
    inputs: ['x', ...(two ? ['d'] : [])].map((name) => ({ name, dtype, shape })),
    outputs: [{ name: 'y', dtype, shape }],
  };
  return writeModel({ graph });
}

const OPEN = ['batch', 2];
const doubling = file([node('Add', ['x', 'x'], ['y'])], 'float32', OPEN);
const dividing = file([node('Div', ['x', 'd'], ['y'])], 'int32', OPEN, true);

const input = (name: string, dtype: DataType, rows: readonly (readonly number[])[]): RunInput => ({
  ...{ name, dtype, shape: [rows.length, rows[0]!.length] },
  // Row by row, as requests of several clients come.
  pieces: rows.map((row) => {
    const { data } = tensorOf(dtype, [row.length], row);
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }),
});
const values = ([output]: readonly RunResult[]): readonly number[] => {
  const { dtype, bytes } = output!;
  const { buffer } = new Uint8Array(bytes);
  return [...(dtype === 'int32' ? new Int32Array(buffer) : new Float32Array(buffer))];
};
const divide = (engine: InferenceEngine, by: number) =>
  engine.run([input('x', 'int32', [[8, 6]]), input('d', 'int32', [[by, by]])]);
/** The one quotient that has no int32: the processor ends the process. */
const crash = (engine: InferenceEngine) =>
  engine.run([input('x', 'int32', [[-(2 ** 31), 1]]), input('d', 'int32', [[-1, 1]])]);

describe('a model in its process', () => {
  test('says what it takes and gives, and runs rows that lie in pieces', async () => {
    const engine = await open(doubling);
    const spec = { dtype: 'float32', shape: [null, 2] };
    expect(engine.inputs).toEqual([{ name: 'x', ...spec }]);
    expect(engine.outputs).toEqual([{ name: 'y', ...spec }]);
    expect(engine).toMatchObject({ unbatchable: null, isReady: true, device: 'cpu' });
    const rows = [
      [1, 2],
      [3, 4],
      [5, 6],
    ];
    const result = await engine.run([input('x', 'float32', rows)]);
    expect(result[0]).toMatchObject({ name: 'y', dtype: 'float32', shape: [3, 2] });
    expect(values(result)).toEqual([2, 4, 6, 8, 10, 12]);
  });

  test('answers many runs in their order, and small ones after large ones', async () => {
    const engine = await open(doubling);
    const sizes = [1, 50_000, 3, 20_000, 1];
    const runs = sizes.map((rows) =>
      engine.run([input('x', 'float32', Array(rows).fill([rows, 0]))]),
    );
    const results = await Promise.all(runs);
    expect(results.map((each) => [each[0]!.shape[0], values(each).at(-2)])).toEqual(
      sizes.map((rows) => [rows, 2 * rows]),
    );
  });

  test('runs the form for inference of a model that was made to train', async () => {
    const { graph } = zooModel('mlp', 1);
    const dropped = writeModel({
      graph: {
        ...graph,
        nodes: [
          ...graph.nodes,
          node('Dropout', [graph.outputs[0]!.name, 'ratio', 'mode'], ['dropped']),
        ],
        initializers: new Map([
          ...graph.initializers,
          ['ratio', tensorOf('float32', [], [0.9])],
          ['mode', tensorOf('bool', [], [1])],
        ]),
        outputs: [{ ...graph.outputs[0]!, name: 'dropped' }],
      },
    });
    const [plain, trained] = await Promise.all([open(writeModel({ graph })), open(dropped)]);
    const pixels = [input('input', 'float32', [Array(784).fill(0.5)])];
    expect(values(await trained.run(pixels))).toEqual(values(await plain.run(pixels)));
  });

  test('refuses what ONNX Runtime refuses, with its words, and lives on', async () => {
    const engine = await open(doubling);
    const wrong = engine.run([input('x', 'float32', [[1, 2, 3]])]);
    await expect(wrong).rejects.toThrow(/dimension/i);
    expect(values(await engine.run([input('x', 'float32', [[1, 2]])]))).toEqual([2, 4]);
  });

  test('a file that is no model is refused', async () => {
    await expect(open(new Uint8Array(99))).rejects.toThrow();
  });
});

describe('rows of several requests run together only where they do not touch', () => {
  const reasonOf = async (model: Uint8Array) => (await open(model)).unbatchable;

  test('a first axis of one size', async () => {
    expect(await reasonOf(file([node('Add', ['x', 'x'], ['y'])], 'float32', [1, 2]))).toMatch(
      /first axis of "x" is not open/,
    );
  });

  test('rows that are normalised by each other', async () => {
    const softmax = node('Softmax', ['x'], ['y'], { axis: int(0) });
    expect(await reasonOf(file([softmax], 'float32', OPEN))).toMatch(/rows of "y" depend/);
  });

  test('one of the zoo with an open first axis', async () => {
    expect(await reasonOf(writeModel(zooModel('cnn', 1)))).toBeNull();
  });
});

describe('a model that ends its process', () => {
  test('costs the run at fault alone: those behind it are made by the next process', async () => {
    const engine = await open(dividing);
    const outcomes = await Promise.allSettled([
      divide(engine, 2),
      crash(engine),
      divide(engine, 1),
    ]);
    const [before, fault, behind] = outcomes;
    expect(before).toMatchObject({ status: 'fulfilled' });
    expect(fault!.status === 'rejected' && (fault.reason as ProtocolError).code).toBe(
      'model-crashed',
    );
    expect(behind!.status === 'fulfilled' && values(behind.value)).toEqual([8, 6]);
  });

  test('again and again waits longer and longer, and comes back by itself', async () => {
    const engine = await open(dividing);
    const codeOf = () => crash(engine).catch(({ code }: ProtocolError) => code);
    expect(await codeOf()).toBe('model-crashed');
    expect(await codeOf()).toBe('model-crashed');
    expect(engine.isReady).toBe(false);
    await expect(divide(engine, 1)).rejects.toMatchObject({ code: 'model-restarting' });
    await until(() => engine.isReady, 20_000, 'it came back');
    expect(values(await divide(engine, 2))).toEqual([4, 3]);
  });

  test('and a process that is killed is replaced, its model loaded', async () => {
    const all = inference();
    const engine = await all.open(doubling);
    process.kill(all.pids[0]!, 'SIGKILL');
    await until(() => !engine.isReady);
    expect(values(await engine.run([input('x', 'float32', [[1, 2]])]))).toEqual([2, 4]);
    await engine.close();
    expect(all.pids).toEqual([]);
    await expect(engine.run([])).rejects.toMatchObject({ code: 'model-restarting' });
  });
});

test('a device that is not here is refused by name, and auto falls back to the CPU', async () => {
  const all = inference();
  await expect(all.open(doubling, 'cuda')).rejects.toThrow(/device: .*cuda.*Choose cpu, or auto/s);
  expect((await all.open(doubling, 'auto')).device).toBe('cpu');
});

test('an end waits for no load that hangs', async () => {
  const all = inference();
  const opened = all.open(doubling);
  const failed = expect(opened).rejects.toThrow();
  const pid = await until(() => all.pids[0]);
  process.kill(pid, 'SIGSTOP');
  const began = performance.now();
  await all.close();
  expect(performance.now() - began).toBeLessThan(20_000);
  await failed;
});
