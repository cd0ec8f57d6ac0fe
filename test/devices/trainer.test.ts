import type { Log } from '@starling/core';
import { GraphBuilder, type Model, scalar, tensorOf, writeModel } from '@starling/onnx';
import { DEFAULT_TRAINING } from '@starling/protocol-rounds';
import type { DeviceChoice, ProcessTrainer, TrainerOptions } from '@starling/trainer';
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { noiseJob, noiseTrainer } from '../cage/bars.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { until } from '../helpers/until.ts';
import { findLavapipe } from './lavapipe.ts';
import { missingVulkan, SOFTWARE_VULKAN } from './vulkan.ts';

const isFull = process.env['STARLING_TEST_SIZE'] === 'full';
const skipped = isFull ? missingVulkan() : 'full size only';
if (skipped !== undefined) console.log(`skipped: the trainer on WebGPU: ${skipped}`);

interface Opened {
  readonly trainer: ProcessTrainer;
  /** What was logged, a line each. */
  readonly lines: readonly string[];
}

async function opened(
  device: DeviceChoice,
  change: Pick<TrainerOptions, 'precision' | 'places'> = {},
): Promise<Opened> {
  const lines: string[] = [];
  const at = (level: string) => (message: string, fields?: object) => {
    lines.push(`${level}: ${message} ${JSON.stringify(fields ?? {})}`);
  };
  const log: Log = { debug() {}, info: at('info'), warn: at('warn'), error: at('error') };
  const trainer = await noiseTrainer(await temporaryDirectory(), {}, { device, log, ...change });
  onTestFinished(() => trainer.close());
  return { trainer, lines };
}

test('without a driver a job trains on the CPU, and a warning says what to install', async () => {
  if (process.platform !== 'linux') return console.log('skipped: drivers are files on Linux only');
  vi.stubEnv('VK_DRIVER_FILES', '/nowhere.json');
  const { trainer, lines } = await opened('webgpu');
  const job = await trainer.prepare(noiseJob());
  expect((await job.train(job.initial, 1)).localSteps).toBe(3);
  expect(lines).toContainEqual(
    expect.stringMatching(/^warn: the job does not train on webgpu .*no Vulkan driver.*Install/),
  );
  vi.unstubAllEnvs();
});

describe.skipIf(skipped !== undefined)('WebGPU in the cage', () => {
  beforeAll(() => {
    for (const [name, value] of Object.entries(SOFTWARE_VULKAN)) vi.stubEnv(name, value);
    return () => vi.unstubAllEnvs();
  });

  test('a job trains there as on the CPU', async () => {
    const gpu = await opened('webgpu');
    const cpu = await opened('cpu');
    const [there, here] = await Promise.all([
      gpu.trainer.prepare(noiseJob()),
      cpu.trainer.prepare(noiseJob()),
    ]);
    console.log([...gpu.lines, ...(await gpu.trainer.cage())].join('\n'));
    expect(gpu.lines).toContainEqual(expect.stringContaining('info: the job trains on webgpu'));
    const update = await there.train(there.initial, 5);
    const wanted = await here.train(here.initial, 5);
    const { norm, trainingLoss, localSteps } = wanted;
    expect(update).toMatchObject({ localSteps, examples: wanted.examples });
    expect(Math.abs(update.trainingLoss - trainingLoss) / trainingLoss).toBeLessThan(1e-5);
    expect(Math.abs(update.norm - norm) / norm).toBeLessThan(1e-4);
    expect(update.update).toHaveLength(wanted.update.length);
    expect(gpu.lines.filter((line) => line.startsWith('warn: the job'))).toEqual([]);
  });

  test('auto leaves a slow one alone and says so', async () => {
    const { trainer, lines } = await opened('auto');
    await trainer.prepare(noiseJob());
    expect(lines).toContainEqual(
      expect.stringMatching(/^info: the job does not train on webgpu .*it is slower: /),
    );
    console.log(
      (await trainer.devices()).map(({ device, detail }) => `${device}: ${detail}`).join('\n'),
    );
    expect(await trainer.devices()).toContainEqual(
      expect.objectContaining({ device: 'webgpu', usable: true }),
    );
  });

  test('float16 is used where there is any; else report and warning say why not', async () => {
    const { trainer, lines } = await opened('webgpu', { precision: 'float16' });
    const report = (await trainer.devices()).find(({ device }) => device === 'webgpu');
    const job = await trainer.prepare(noiseJob());
    expect((await job.train(job.initial, 1)).localSteps).toBe(3);
    const { usable, detail } = report!.float16!;
    if (usable) {
      expect(lines).toContainEqual(expect.stringContaining('in float16 on webgpu'));
      return;
    }
    expect(detail).toBe('its driver has no shader-f16');
    console.log('skipped: no shader-f16');
    expect(lines).toContainEqual(
      expect.stringMatching(/^warn: the job trains in float32 on webgpu /),
    );
  });

  test('a job whose process dies there goes on on the CPU', async () => {
    const { trainer, lines } = await opened('webgpu');
    const job = await trainer.prepare(noiseJob({}, 1000));
    const training = job.train(job.initial, 1);
    const pid = trainer.pids[0]!;
    await until(() => trainer.pids.length === 1);
    process.kill(pid, 'SIGKILL');
    expect((await training).localSteps).toBe(3000);
    expect(lines).toContainEqual(
      expect.stringMatching(/^warn: the job failed on webgpu and goes on on the CPU .*SIGKILL/),
    );
  });
});

const lavapipe = isFull ? findLavapipe() : 'full size only';
if (typeof lavapipe === 'string') console.log(`skipped: float16 in the cage: ${lavapipe}`);

/** Sums 784 pixels times 1000, which no float16 holds, and makes small numbers of them. */
function wideModel(): Model {
  const builder = new GraphBuilder();
  const input = builder.input('input', { dtype: 'float32', shape: [1, 784] });
  const values = Array.from({ length: 7840 }, (_, i) => 1000 + (i % 7));
  const weights = builder.constant(tensorOf('float32', [784, 10], values), 'weights');
  const sums = builder.add('MatMul', [input, weights]);
  const output = builder.add('Mul', [sums, builder.constant(scalar(1e-5))]);
  const { inputs, outputs, ...graph } = builder.finish('wide', [output]);
  const open = (list: typeof inputs) =>
    list.map((value) => ({ ...value, shape: ['batch', ...value.shape.slice(1)] }));
  return { graph: { ...graph, inputs: open(inputs), outputs: open(outputs) } };
}

describe.skipIf(typeof lavapipe === 'string')('float16 in the cage', () => {
  beforeAll(() => {
    for (const [name, value] of Object.entries(lavapipe)) vi.stubEnv(name, value);
    return () => vi.unstubAllEnvs();
  });

  test('a job trains in it with the losses of float32', async () => {
    const { trainer, lines } = await opened('webgpu', { precision: 'float16' });
    const job = await trainer.prepare(noiseJob());
    const update = await job.train(job.initial, 5);
    console.log(lines.join('\n'));
    expect(lines).toContainEqual(
      expect.stringMatching(/^info: the products of the job are in float16 on webgpu .*sums/),
    );
    const here = await (await opened('cpu')).trainer.prepare(noiseJob());
    const { trainingLoss } = await here.train(here.initial, 5);
    const error = Math.abs(update.trainingLoss - trainingLoss) / trainingLoss;
    expect(error).toBeLessThan(0.005);
    expect(error).toBeGreaterThan(0);
    expect(lines.filter((line) => line.startsWith('warn: the job'))).toEqual([]);
  });

  test('a job beyond it trains its round again in float32', async () => {
    const training = { ...DEFAULT_TRAINING, epochs: 1, frozen: ['constant*'] };
    const wide = noiseJob({ model: writeModel(wideModel()), training });
    const half = { device: 'webgpu', precision: 'float16' } as const;
    const places = { reports: async () => [], choose: async () => half };
    const forced = await opened('webgpu', { places });
    const job = await forced.trainer.prepare(wide);
    expect((await job.train(job.initial, 5)).localSteps).toBe(3);
    expect(forced.lines).toContainEqual(
      expect.stringMatching(/^warn: the job left the range of float16 and goes on in float32 /),
    );
  });
});
