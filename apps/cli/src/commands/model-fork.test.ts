import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hashHex } from '@starling/crypto';
import { expect, test, vi } from 'vitest';
import {
  chainOf,
  JOB,
  MANIFEST,
  modelAfter,
  proofOf,
} from '../../../../packages/models/src/testing/hand-made-job.ts';
import { temporaryDirectory } from '../../../../test/helpers/temporary.ts';
import { readJob } from '../job-file.ts';
import { createProgram } from '../program.ts';

const starling = (...words: readonly string[]) =>
  createProgram().parseAsync(['node', 'starling', ...words]);

/** What a command prints with `--json`. */
async function printed(...words: readonly string[]): Promise<unknown> {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    await starling(...words, '--json');
    return JSON.parse(String(write.mock.calls.at(-1)?.[0]));
  } finally {
    write.mockRestore();
  }
}

async function certified(): Promise<string> {
  const file = join(await temporaryDirectory(), 'model.onnx');
  await writeFile(file, modelAfter(0.5));
  await writeFile(`${file}.proof`, proofOf(chainOf()));
  return file;
}

test('a fork is a job file that launches from certified weights, as it was asked', async () => {
  const file = await certified();
  const output = join(await temporaryDirectory(), 'deep', 'fork');
  const words = ['model', 'fork', file, '-o', output, '--freeze', 'fc1*', 'fc2*', '--rounds', '7'];
  expect(await printed(...words)).toEqual({ file: join(output, 'job.yaml'), job: JOB, round: 2 });
  const { job, model } = await readJob(join(output, 'job.yaml'), 0);
  expect(hashHex(model)).toBe(hashHex(modelAfter(0.5)));
  expect(job).toMatchObject({ name: 'by-hand-fork', stop: { rounds: 7 }, loss: MANIFEST.loss });
  expect(job.training).toEqual({ ...MANIFEST.training, frozen: ['fc1*', 'fc2*'] });
  const text = await readFile(join(output, 'job.yaml'), 'utf8');
  expect(text).toContain(`# Forked from "by-hand", job ${JOB},\n# after round 2;`);
});

test('nothing is forked from a model that its proof does not prove, or without one', async () => {
  const file = await certified();
  const output = await temporaryDirectory();
  await writeFile(file, modelAfter(0.25));
  const asked = starling('model', 'fork', file, '-o', output);
  await expect(asked).rejects.toThrow(/not those certified in round 2/);
  const bare = join(output, 'bare.onnx');
  await writeFile(bare, modelAfter(0.5));
  await expect(starling('model', 'fork', bare, '-o', output)).rejects.toThrow(/no .* lies beside/);
});

test('an average is written with its recipe, and weights count', async () => {
  const folder = await temporaryDirectory();
  const files = ['a.onnx', 'b.onnx'].map((name) => join(folder, name));
  await writeFile(files[0]!, modelAfter(0));
  await writeFile(files[1]!, modelAfter(0.5));
  const output = join(folder, 'mean.onnx');
  const of = [modelAfter(0), modelAfter(0.5)].map((model, i) => {
    return { model: hashHex(model), weight: [3, 1][i] };
  });
  const words = ['model', 'average', ...files, '--weights', '3,1', '-o', output];
  expect(await printed(...words)).toEqual({
    output,
    recipe: `${output}.recipe`,
    kind: 'average',
    of,
  });
  expect(JSON.parse(await readFile(`${output}.recipe`, 'utf8'))).toEqual({ kind: 'average', of });
  const wrong = starling('model', 'average', ...files, '--weights', '1', '-o', output);
  await expect(wrong).rejects.toThrow('--weights: 1 for 2 models');
});
