import { elementCount, type Model, type Tensor, tensorOf } from '@starling/onnx';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { feedsOf, openGraph } from '../../../test/helpers/run-graph.ts';
import {
  buildEpochGraph,
  createGenerator,
  dropoutWords,
  EPOCH_INPUTS,
  type EpochGraphOptions,
  initialVector,
  minibatchOrder,
  modelInput,
  OPTIMIZER_NAMES,
  optimizerNamed,
  optimizerSettings,
  orderShape,
  planEpochs,
  type StepRange,
  stepTables,
  WORDS_PER_DROPOUT,
  zooModel,
} from './index.ts';

const EXAMPLES = 11;
const indices = Int32Array.from({ length: EXAMPLES }, (_, i) => i);

interface Setting {
  readonly optimizer: string;
  readonly batchSize: number;
  readonly accumulation: number;
  readonly proximal: number;
  /** Where a run ends and the next one begins. */
  readonly cuts: readonly number[];
}

/** Rows `from` … `to − 1` of a table with one row for each step. */
function rowsOf({ dtype, shape, data }: Tensor, { from, to }: StepRange): Tensor {
  const width = elementCount(shape.slice(1));
  const part = data.slice(from * width, to * width);
  return { dtype, shape: [to - from, ...shape.slice(1)], data: part };
}

/** Trains in runs that end at `cuts`; the last run's results. */
async function trained(model: Model, setting: Setting) {
  const { batchSize, accumulation, proximal } = setting;
  const optimizer = optimizerSettings(optimizerNamed(setting.optimizer));
  const plan = planEpochs({ examples: EXAMPLES, batchSize, epochs: 2, accumulation });
  const example = modelInput(model).shape.slice(1).map(Number);
  const options: EpochGraphOptions = {
    ...{ model, loss: 'softmax-cross-entropy', plan, optimizer, proximal, ratePerStep: true },
    data: { dtype: 'uint8', example, scale: 1 / 255 },
  };
  const graph = buildEpochGraph(options);
  const session = await openGraph(graph.model.graph);
  const generator = createGenerator(4);
  const pixels = Array.from({ length: EXAMPLES * elementCount(example) }, () =>
    generator.below(256),
  );
  const shape = orderShape(plan, plan.steps);
  const batches = shape.slice(0, -1);
  const dropouts = graph.words / WORDS_PER_DROPOUT;
  const words = dropoutWords(elementCount(batches), dropouts, generator);
  const rates = Array.from({ length: plan.steps }, (_, i) => 0.01 / (1 + i));
  const tables: Readonly<Record<string, Tensor>> = {
    [EPOCH_INPUTS.order]: tensorOf('int32', shape, minibatchOrder(plan, indices, generator)),
    [EPOCH_INPUTS.learningRate]: tensorOf('float32', [plan.steps], rates),
    ...(dropouts > 0 && {
      [EPOCH_INPUTS.words]: tensorOf('int32', [...batches, graph.words], words),
    }),
  };
  const vector = initialVector(model);
  const flat = (data: Float32Array) => tensorOf('float32', [data.length], data);
  const fixed = {
    [EPOCH_INPUTS.vector]: flat(vector),
    [EPOCH_INPUTS.data]: tensorOf('uint8', [EXAMPLES, ...example], pixels),
    [EPOCH_INPUTS.targets]: tensorOf(
      'int32',
      [EXAMPLES],
      Array.from(indices, (i) => i % 10),
    ),
    [EPOCH_INPUTS.clippingNorm]: tensorOf('float32', [], [100]),
  };
  let current = vector;
  let states = new Float32Array(graph.states);
  const losses: number[] = [];
  const ends = [...new Set(setting.cuts.map((cut) => cut % plan.steps))].filter((cut) => cut > 0);
  const places = [0, ...ends.sort((a, b) => a - b), plan.steps];
  let clipped: readonly number[] = [];
  for (const [i, to] of places.slice(1).entries()) {
    const range = { from: places[i]!, to };
    const results = await session.run(
      feedsOf({
        ...fixed,
        ...stepTables(plan, optimizer, range),
        ...Object.fromEntries(
          Object.entries(tables).map(([name, table]) => [name, rowsOf(table, range)]),
        ),
        [EPOCH_INPUTS.current]: flat(current),
        ...(graph.states > 0 && { [EPOCH_INPUTS.states]: flat(states) }),
      }),
    );
    const floats = (name: string) => Float32Array.from(results[name]!.data as Float32Array);
    current = floats('after');
    if (graph.states > 0) states = floats('statesAfter');
    losses.push(...floats('losses'));
    clipped = [...floats('clipped')];
  }
  await session.release();
  return { clipped, losses };
}

describe('a training in several runs is to the bit a training in one', () => {
  const settings = fc.record({
    optimizer: fc.constantFrom(...OPTIMIZER_NAMES),
    batchSize: fc.integer({ min: 1, max: EXAMPLES }),
    accumulation: fc.integer({ min: 1, max: 3 }),
    proximal: fc.constantFrom(0, 0.3),
    cuts: fc.array(fc.nat(40), { minLength: 1, maxLength: 4 }),
  });

  test('for every optimiser, however minibatches and runs are cut', async () => {
    const model = zooModel('logistic', 1);
    await fc.assert(
      fc.asyncProperty(settings, async (setting) => {
        const whole = await trained(model, { ...setting, cuts: [] });
        expect(await trained(model, setting)).toEqual(whole);
      }),
      { numRuns: 25 },
    );
  });

  test('with batch statistics', async () => {
    const model = zooModel('resnet20', 1);
    const setting = { optimizer: 'momentum', batchSize: 4, accumulation: 1, proximal: 0 };
    const whole = await trained(model, { ...setting, cuts: [] });
    expect(whole.losses).toHaveLength(6);
    expect(await trained(model, { ...setting, cuts: [2, 3] })).toEqual(whole);
  });
});
