import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GraphBuilder, readModel, replayGraph, type Tensor, tensorOf } from '@starling/onnx';
import { expect, test } from 'vitest';
import { openGraph, runtimeFeeds } from '../../../test/helpers/gradient-check.ts';
import { backward } from './backward.ts';
import { trainableParameters } from './model-state.ts';
import { Ops } from './ops.ts';

const FOLDER = join(import.meta.dirname, '../../../test/fixtures/layers');
const TOLERANCE = 5e-4;

interface Numbers {
  readonly shape: readonly number[];
  readonly values: readonly number[];
  /** Tokens; float32 when absent. */
  readonly dtype?: 'int64';
}

/** What PyTorch computed; see `test/fixtures/make-layers.py`. */
interface Recorded {
  readonly input: Numbers;
  readonly output: Numbers;
  readonly weights: Numbers;
  readonly gradients: Readonly<Record<string, Numbers>>;
}

const tensor = ({ dtype, shape, values }: Numbers): Tensor =>
  tensorOf(dtype ?? 'float32', shape, values);

/** The output and the gradients of the weighted sum of it, by name of the parameter. */
async function trained(file: string, { input, weights }: Recorded) {
  const model = readModel(readFileSync(join(FOLDER, file)));
  const builder = new GraphBuilder();
  const g = new Ops(builder);
  const batch = tensor(input);
  const x = builder.input('batch', { dtype: batch.dtype, shape: batch.shape });
  const tensors = new Map([[x, batch]]);
  const names = new Map<string, string>();
  for (const { name, shape } of trainableParameters(model)) {
    const own = builder.input(name, { dtype: 'float32', shape });
    names.set(name, own);
    tensors.set(own, model.graph.initializers.get(name)!);
  }
  const bindings = new Map([...names, [model.graph.inputs[0]!.name, x]]);
  const output = replayGraph(model.graph, { builder, bindings })[0]!;
  const nodes = [...builder.nodes];
  const seed = builder.constant(tensor(weights));
  const gradients = backward({ g, nodes, output, seed, wanted: [...names.values()] });
  const graph = builder.finish('trained', [
    builder.named(output, 'y'),
    ...[...names].map(([name, own]) => builder.named(gradients.get(own)!, `d/${name}`)),
  ]);
  const session = await openGraph(graph);
  const results = await session.run(runtimeFeeds(graph, tensors));
  await session.release();
  return new Map(
    Object.entries(results).map(([name, { data }]) => [name, Array.from(data, Number)]),
  );
}

const worst = (ours: readonly number[], theirs: readonly number[]) =>
  theirs.reduce(
    (most, value, i) => Math.max(most, Math.abs(ours[i]! - value) / Math.max(1, Math.abs(value))),
    ours.length === theirs.length ? 0 : Number.POSITIVE_INFINITY,
  );

const files = readdirSync(FOLDER).filter((file) => file.endsWith('.onnx'));

test.each(files)('PyTorch has the same gradients for %s', async (file) => {
  const name = file.replace(/-\d+\.onnx$/, '');
  const recorded = JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8')) as Recorded;
  const found = await trained(file, recorded);
  const expected = new Map([['y', recorded.output]]);
  for (const [key, value] of Object.entries(recorded.gradients)) expected.set(`d/${key}`, value);
  expect([...found.keys()].sort()).toEqual([...expected.keys()].sort());
  for (const [key, { values }] of expected) {
    expect(worst(found.get(key)!, values), key).toBeLessThan(TOLERANCE);
  }
});
