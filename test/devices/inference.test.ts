import { writeModel } from '@starling/onnx';
import { createInference, type InferenceEngine, zooModel } from '@starling/trainer';
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { silentLog } from '../helpers/parts.ts';
import { until } from '../helpers/until.ts';
import { missingVulkan, SOFTWARE_VULKAN } from './vulkan.ts';

const isFull = process.env['STARLING_TEST_SIZE'] === 'full';
const skipped = isFull ? missingVulkan() : 'full size only';
if (skipped !== undefined) console.log(`skipped: served models on WebGPU: ${skipped}`);

const childEntry = new URL('../../apps/cli/dist/inference-child.js', import.meta.url);
const pixels = new Uint8Array(Float32Array.from({ length: 2 * 784 }, (_, i) => i / 1568).buffer);

async function logitsOf(engine: InferenceEngine) {
  const [input] = engine.inputs;
  const run = { name: input!.name, dtype: 'float32', shape: [2, 784], pieces: [pixels] } as const;
  const [output] = await engine.run([run]);
  return [...new Float32Array(new Uint8Array(output!.bytes).buffer)];
}

describe.skipIf(skipped !== undefined)('on WebGPU', () => {
  beforeAll(() => {
    for (const [name, value] of Object.entries(SOFTWARE_VULKAN)) vi.stubEnv(name, value);
    return () => vi.unstubAllEnvs();
  });

  test.each(['mlp', 'cnn'] as const)('%s is served there, caged, as on the CPU', async (name) => {
    const inference = createInference({ childEntry, log: silentLog });
    onTestFinished(() => inference.close());
    const model = writeModel(zooModel(name, 1));
    const [there, here] = await Promise.all([
      inference.open(model, 'webgpu'),
      inference.open(model, 'cpu'),
    ]);
    expect([there.device, here.device]).toEqual(['webgpu', 'cpu']);
    expect(there.unbatchable).toBeNull();
    const [gpu, cpu] = [await logitsOf(there), await logitsOf(here)];
    for (const [i, value] of cpu.entries()) expect(gpu[i]).toBeCloseTo(value, 4);
  });

  test('a model whose process dies there again and again goes to the CPU', async () => {
    const inference = createInference({ childEntry, log: silentLog, backoffMs: 1 });
    onTestFinished(() => inference.close());
    const engine = await inference.open(writeModel(zooModel('mlp', 1)), 'webgpu');
    const before = await logitsOf(engine);
    for (let life = 0; life < 2; life++) {
      await until(() => engine.isReady);
      process.kill(inference.pids[0]!, 'SIGKILL');
      await until(() => !engine.isReady);
    }
    await until(() => engine.isReady);
    expect(engine.device).toBe('cpu');
    for (const [i, value] of (await logitsOf(engine)).entries()) {
      expect(before[i]).toBeCloseTo(value, 4);
    }
  });

  test('auto takes the CPU where that is faster', async () => {
    const inference = createInference({ childEntry, log: silentLog });
    onTestFinished(() => inference.close());
    const engine = await inference.open(writeModel(zooModel('mlp', 1)), 'auto');
    expect(engine.device).toBe('cpu');
  });
});
