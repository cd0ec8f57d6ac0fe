import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createGenerator } from '@starling/autodiff';
import type { Log } from '@starling/core';
import { byteImages, createTrainer, datasetCatalog, inspectOffer } from '@starling/trainer';
import { expect, onTestFinished, test, vi } from 'vitest';
import { parseDataOptions } from '../../packages/trainer/src/data/options.ts';
import { writeEveryFormat } from '../../packages/trainer/src/data/testing/tables.ts';
import { linearModel, testJob } from '../../packages/trainer/src/testing/jobs.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';

const childEntry = new URL('../../apps/cli/dist/trainer-child.js', import.meta.url);
const log: Log = { debug() {}, info() {}, warn() {}, error() {} };
const SIDE = 6;

// Starting a child and loading native libraries take seconds on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

test('a caged child reads every format, and trains to the same bits from each', async () => {
  const folder = await temporaryDirectory();
  const generator = createGenerator(2);
  const data = byteImages({
    ...{ shape: [SIDE, SIDE], classes: 10 },
    pixels: Uint8Array.from({ length: 60 * SIDE * SIDE }, () => generator.below(256)),
    labels: Array.from({ length: 60 }, () => generator.below(10)),
  });
  const paths = await writeEveryFormat(folder, data);
  const options = parseDataOptions({ shape: `${SIDE}x${SIDE}`, normalise: 'scale:1/255' });
  const offers = await Promise.all(
    Object.entries(paths).map(([name, path]) => inspectOffer(name, path, { options, task: 't' })),
  );
  const trainer = createTrainer({ childEntry, datasets: datasetCatalog(offers), log });
  onTestFinished(() => trainer.close());
  const updates: unknown[] = [];
  for (const { name } of offers) {
    const prepared = await trainer.prepare(
      testJob({
        ...{ model: linearModel(SIDE * SIDE, 10), dataset: name },
        data: { ...testJob().data, input: { dtype: 'float32', shape: [SIDE * SIDE] } },
      }),
    );
    updates.push(await prepared.train(prepared.initial, 4));
    await prepared.close();
  }
  expect(updates).toHaveLength(7);
  for (const update of updates) expect(update).toEqual(updates[0]);
});

/** Words behind each other, as Hugging Face's libraries write them. */
const TOKENIZER = {
  version: '1.0',
  ...{ truncation: null, padding: null, added_tokens: [], normalizer: null },
  pre_tokenizer: { type: 'Whitespace' },
  ...{ post_processor: null, decoder: null },
  model: {
    type: 'WordLevel',
    vocab: { to: 0, be: 1, or: 2, not: 3, '[UNK]': 4 },
    unk_token: '[UNK]',
  },
};

test('a caged child reads a tokenizer that lies beside no data', async () => {
  const [data, elsewhere] = [await temporaryDirectory(), await temporaryDirectory()];
  const [text, tokenizer] = [join(data, 'a.txt'), join(elsewhere, 'tokenizer.json')];
  await writeFile(text, 'to be or not to be\n'.repeat(50));
  await writeFile(tokenizer, JSON.stringify(TOKENIZER));
  const options = parseDataOptions({ text: tokenizer, sequence: '3' });
  const offer = await inspectOffer('words', text, { options, task: 't' });
  expect(offer.schema).toMatchObject({ target: 'sequence', classes: 5 });
  expect(offer.plan).toMatchObject({ count: 99, shape: [3] });
  const trainer = createTrainer({ childEntry, datasets: datasetCatalog([offer]), log });
  onTestFinished(() => trainer.close());
  const prepared = await trainer.prepare(
    testJob({
      ...{ model: linearModel(3, 5), dataset: 'words' },
      data: {
        ...{ task: 't', input: { dtype: 'int32', shape: [3] } },
        ...{ target: 'sequence', classes: 5 },
      },
    }),
  );
  const { examples, trainingLoss } = await prepared.train(prepared.initial, 1);
  expect(examples).toBe(90);
  expect(trainingLoss).toBeLessThan(Math.log(5) + 1);
});
