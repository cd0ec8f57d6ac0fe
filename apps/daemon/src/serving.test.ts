import type { BlobHash, JobId, PeerId } from '@starling/core';
import { hashHex } from '@starling/crypto';
import { encodeState } from '@starling/federation';
import { readModel, writeModel } from '@starling/onnx';
import type { CardId } from '@starling/protocol-models';
import { DEFAULT_TRAINING } from '@starling/protocol-rounds';
import type { Notice } from '@starling/rounds';
import { NO_OBSERVER } from '@starling/serving';
import { MemoryBlobStore, MemoryJournal } from '@starling/store';
import type { Inference } from '@starling/trainer';
import { describe, expect, onTestFinished, test } from 'vitest';
import { MemoryNetwork } from '../../../test/helpers/memory-network.ts';
import { silentLog } from '../../../test/helpers/parts.ts';
import { drawn, graphOf, node } from '../../../test/helpers/small-graphs.ts';
import { until } from '../../../test/helpers/until.ts';
import { configSchema } from './config.ts';
import { ServingService, type ServingServiceParts } from './serving.ts';

const JOB = 'ab'.repeat(32) as JobId;
const graph = graphOf([node('MatMul', ['x', 'w'], ['y'])], { w: drawn([2, 2], 1) }, ['n', 2], 'y');

const launched = writeModel({ graph });

/** A job whose chain the test makes. */
class FakeJob {
  round = 0;
  weights = 0;

  async model() {
    const model = new Float32Array(4).fill(this.weights);
    const state = encodeState({ round: this.round, model, trainable: 4, moments: [] });
    const manifest = { name: 'ward', training: DEFAULT_TRAINING };
    return { model: launched, state, report: { job: { manifest } } };
  }

  job() {
    return { job: { manifest: { name: 'ward' } } };
  }
}

/** An engine for each model; a file that is no model does not load. */
function fakeInference() {
  const opened: number[] = [];
  const inference: Inference = {
    pids: [],
    close: async () => {},
    async open(bytes) {
      const weight = readModel(bytes).graph.initializers.get('w')!.data[0] as number;
      opened.push(weight);
      const spec = { name: 'x', dtype: 'float32', shape: [null, 2] } as const;
      return {
        ...{ inputs: [spec], outputs: [{ ...spec, name: 'y' }], unbatchable: null },
        ...{ device: 'cpu', isReady: true, close: async () => {} },
        run: async ([input]) => [{ ...input!, name: 'y', bytes: new Uint8Array(8).fill(weight) }],
      };
    },
  };
  return { inference, opened };
}

const CARDS = {
  named: (id: string) => {
    const model = { hash: id, bytes: 1 };
    return { id, card: { name: 'digits', version: 3, model } } as never;
  },
  fetch: async () => ({ model: new Uint8Array([7]) }),
  restrictedAs: (): CardId | undefined => undefined,
};

async function scene(listen = true) {
  const [job, journal, blobs] = [new FakeJob(), new MemoryJournal(), new MemoryBlobStore()];
  const { inference, opened } = fakeInference();
  const serving = listen ? { listen: '127.0.0.1:0' } : {};
  const parts: ServingServiceParts = {
    ...{ journal, blobs, inference, log: silentLog, observer: NO_OBSERVER },
    config: configSchema.parse({ serving }).serving,
    node: job as unknown as ServingServiceParts['node'],
    findJob: () => JOB,
    transport: new MemoryNetwork().transport('me' as PeerId),
    membership: { refusal: () => undefined },
    models: CARDS,
    admits: () => true,
  };
  const service = await ServingService.open(parts);
  const serve = (source: object, options = {}) =>
    service.handlers.serve({
      ...{ name: 'm', source: source as never },
      options: configOptions(options),
    });
  const only = async () => (await service.handlers.list()).models[0];
  return { job, parts, service, serve, only, opened };
}

const configOptions = (options: object) =>
  ({
    ...{ maxBatch: 32, maxDelayMs: 0, queue: 8, device: 'cpu', swarm: false, quota: null },
    ...options,
  }) as Parameters<ServingService['handlers']['serve']>[0]['options'];

const certified = { kind: 'certified' } as Notice;
const file = (bytes: Uint8Array, name = 'a.onnx') => ({
  ...{ kind: 'file', file: name, model: Buffer.from(bytes).toString('base64') },
});
const weighing = (weight: number) => {
  const w = { dtype: 'float32', shape: [2, 2], data: new Float32Array(4).fill(weight) } as const;
  return writeModel({ graph: { ...graph, initializers: new Map([['w', w]]) } });
};

describe('the model of a job', () => {
  test('is served from its first certificate on, and changes with its chain', async () => {
    const { job, service, serve, only } = await scene();
    const before = await serve({ kind: 'job', job: 'ward' });
    expect(before).toMatchObject({ from: 'job ward', version: null });
    expect(before.problem).toMatch(/no certified model yet/);
    const tell = (round: number, weights: number, notice = certified) => {
      Object.assign(job, { round, weights });
      service.take(JOB, notice);
    };
    tell(1, 0.5);
    await until(async () => (await only())?.version === '1');
    tell(2, 0.75);
    await until(async () => (await only())?.version === '2');
    // A better chain takes a round back, and certifies another one.
    tell(1, 0.25, { kind: 'rolled-back', toRound: 1 });
    await until(async () => (await only())?.version === '1');
    expect(await only()).toMatchObject({ swaps: 2, problem: null });
    tell(1, 0.125);
    await until(async () => (await only())?.swaps === 3);
    await service.close();
  });

  test('of another job changes nothing', async () => {
    const { job, service, serve, opened } = await scene();
    Object.assign(job, { round: 1, weights: 0.5 });
    await serve({ kind: 'job', job: 'ward' });
    Object.assign(job, { round: 2, weights: 0.75 });
    service.take('cd'.repeat(32) as JobId, certified);
    service.take(JOB, { kind: 'finished', round: 2 });
    await new Promise((resolve) => setImmediate(resolve));
    expect(opened).toEqual([0.5]);
    await service.close();
  });
});

describe('the model of a file', () => {
  test('is kept from eviction, replaced by a newer one, and not by a broken one', async () => {
    const { service, serve, only, parts } = await scene();
    expect(await serve(file(weighing(0.5)))).toMatchObject({ version: '1', from: 'a.onnx' });
    expect([...service.pinned()]).toHaveLength(1);
    expect(await serve(file(weighing(0.75), 'b.onnx'))).toMatchObject({ version: '2' });
    await expect(serve(file(new Uint8Array(9)))).rejects.toThrow();
    expect(await only()).toMatchObject({ version: '2', from: 'b.onnx', isReady: true });
    const [pinned] = service.pinned();
    expect(Buffer.from((await parts.blobs.get(pinned!))!)).toEqual(Buffer.from(weighing(0.75)));
    await expect(serve(file(weighing(1)), { maxBatch: 7 })).rejects.toThrow(/unserve/);
    await service.close();
  });

  test('comes back in its version, until it is served no longer', async () => {
    const { service, serve, parts } = await scene();
    await serve(file(weighing(0.5)));
    await serve(file(weighing(0.75)));
    await service.close();
    const again = await ServingService.open(parts);
    const found = await until(async () => {
      const [model] = (await again.handlers.list()).models;
      return model?.isReady ? model : undefined;
    });
    expect(found).toMatchObject({ name: 'm', version: '2' });
    await again.handlers.unserve('m');
    expect([...again.pinned()]).toEqual([]);
    await again.close();
    const last = await ServingService.open(parts);
    expect((await last.handlers.list()).models).toEqual([]);
    await expect(last.handlers.unserve('m')).rejects.toThrow(/no model "m" is served/);
    await last.close();
  });

  test('that is a restricted model is not put where others get it by its hash', async () => {
    const { service, serve, parts } = await scene();
    const secret = weighing(0.5);
    const hash = hashHex(secret) as BlobHash;
    const card = 'ef'.repeat(32) as CardId;
    CARDS.restrictedAs = () => card;
    onTestFinished(() => {
      CARDS.restrictedAs = () => undefined;
    });
    await expect(serve(file(secret))).rejects.toThrow(`starling model serve NAME --card ${card}`);
    expect(await parts.blobs.has(hash)).toBe(false);
    await service.close();
  });

  test('stays when its name was taken again while the last model of it ended', async () => {
    const { service, serve, parts } = await scene();
    const { open } = parts.inference;
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    parts.inference.open = async (bytes) => ({ ...(await open(bytes)), close: () => held });
    await serve(file(weighing(0.5)));
    const gone = service.handlers.unserve('m');
    await until(async () => (await service.handlers.list()).models.length === 0);
    await serve(file(weighing(0.75), 'b.onnx'));
    release();
    await gone;
    expect((await service.handlers.list()).models).toMatchObject([{ from: 'b.onnx' }]);
    expect([...service.pinned()]).toHaveLength(1);
    await service.close();
  });

  test('that does not load is not served at all', async () => {
    const { service, serve, only } = await scene();
    await expect(serve(file(new Uint8Array(9)))).rejects.toThrow();
    expect(await only()).toBeUndefined();
    expect([...service.pinned()]).toEqual([]);
    await service.close();
  });
});

test('what nobody could ask is refused with the setting that is missing', async () => {
  const { service, serve } = await scene(false);
  await expect(serve(file(weighing(1)))).rejects.toThrow(/serving\.listen.*nothing listens/s);
  expect(await serve(file(weighing(1)), { swarm: true })).toMatchObject({ version: '1' });
  await service.close();
});
