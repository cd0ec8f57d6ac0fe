import { jobFileSchema } from '@starling/control';
import type { JobId } from '@starling/core';
import { hashHex } from '@starling/crypto';
import { GraphBuilder, readModel, writeModel } from '@starling/onnx';
import type { Manifest } from '@starling/protocol-rounds';
import { expect, test } from 'vitest';
import { launchJob as launchUnless, type RestrictedBy } from './launch.ts';

const file = (output?: string) =>
  jobFileSchema.parse({
    ...{ name: 'digits', model: 'model.onnx', stop: { rounds: 1 }, ...(output && { output }) },
    data: { task: 'digits', input: { shape: [4] }, classes: 3 },
  });

/** What a node is asked to launch. */
function recorder() {
  const launched: { manifest: Manifest; model: Uint8Array }[] = [];
  const node = {
    describe: () => Promise.reject(new Error('nobody asks without an epsilon')),
    launch: async (manifest: Manifest, model: Uint8Array) => {
      launched.push({ manifest, model });
      return { job: 'ab'.repeat(32) as JobId, copies: 0, peers: 0, guarantee: undefined };
    },
  };
  return { node, launched };
}

type Launch = Parameters<typeof launchUnless>;
const nobody: RestrictedBy = () => undefined;
const launchJob = (node: Launch[0], job: Launch[1], model: Uint8Array) =>
  launchUnless(node, job, model, nobody);

const outputsOf = (model: Uint8Array) => readModel(model).graph.outputs.map(({ name }) => name);

test('the output that the job file names is the only one of what is launched', async () => {
  const { node, launched } = recorder();
  await launchJob(node, file('boxes'), twoOutputs());
  const { manifest, model } = launched[0]!;
  expect(outputsOf(model)).toEqual(['boxes']);
  expect(manifest.model).toBe(hashHex(model));
  // A client may have chosen it before: its file stays as it is.
  await launchJob(node, file('boxes'), model);
  expect(launched[1]!.model).toBe(model);
});

test('a job file that names none launches the model as it is', async () => {
  const { node, launched } = recorder();
  const model = twoOutputs();
  await launchJob(node, file(), model);
  expect(launched[0]!.model).toBe(model);
});

test('an output that the model does not have is refused, with those that it has', async () => {
  const { node, launched } = recorder();
  const launching = launchJob(node, file('masks'), twoOutputs());
  await expect(launching).rejects.toThrow('no output "masks"; the model has scores, boxes');
  expect(launched).toEqual([]);
});

test('another peer’s restricted model is launched for nobody', async () => {
  const { node, launched } = recorder();
  const model = twoOutputs();
  const restrictedBy: RestrictedBy = (hash) => (hash === hashHex(model) ? 'card-7' : undefined);
  const launching = launchUnless(node, file('boxes'), model, restrictedBy);
  await expect(launching).rejects.toThrow('the restricted model of card card-7');
  expect(launched).toEqual([]);
});

/** A file with the outputs `scores` and `boxes`. */
function twoOutputs(): Uint8Array {
  const builder = new GraphBuilder();
  const x = builder.input('x', { dtype: 'float32', shape: [1, 4] });
  const scores = builder.add('Exp', [x], {}, { outputs: ['scores'] });
  const boxes = builder.add('Exp', [scores], {}, { outputs: ['boxes'] });
  return writeModel({ graph: builder.finish('two', [scores, boxes]) });
}
