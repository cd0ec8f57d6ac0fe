import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Log } from '@starling/core';
import { expect, onTestFinished, test } from 'vitest';
import { noiseJob, noiseTrainer } from '../cage/bars.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';

const script = fileURLToPath(new URL('../../scripts/install-cuda.mjs', import.meta.url));

/** Exit code and output of the script that installs what CUDA needs. */
async function run(...args: string[]): Promise<{ readonly code: number; readonly text: string }> {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [script, ...args]);
    return { code: 0, text: stdout };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, text: stdout + stderr };
  }
}

test('the script says what is missing for CUDA and what to do', async () => {
  const { code, text } = await run('--check');
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    expect(text).toMatch(/CUDA on linux-x64 alone.*Use WebGPU/);
    return;
  }
  if (existsSync('/dev/nvidia0')) expect(text).toContain('ok    an NVIDIA GPU');
  else {
    expect(text).toMatch(/FAIL {2}an NVIDIA GPU \(\/dev\/nvidia0\)\. Install NVIDIA's driver/);
    expect(code).toBe(1);
  }
});

test('a job trains on CUDA as on the CPU', async () => {
  if (!existsSync('/dev/nvidia0')) return console.log('skipped: no device');
  const { code, text } = await run('--check');
  if (code !== 0) return console.log(`skipped: ${text}`);
  const lines: string[] = [];
  const log: Log = {
    ...{ debug() {}, error() {} },
    info: (message) => void lines.push(message),
    warn: (message, fields) => void lines.push(`${message} ${JSON.stringify(fields)}`),
  };
  const folder = await temporaryDirectory();
  const gpu = await noiseTrainer(folder, {}, { device: 'cuda', log });
  onTestFinished(() => gpu.close());
  const there = await gpu.prepare(noiseJob());
  expect(lines).toContain('the job trains on cuda');
  const update = await there.train(there.initial, 5);
  const cpu = await noiseTrainer(folder, {});
  onTestFinished(() => cpu.close());
  const here = await cpu.prepare(noiseJob());
  const { trainingLoss } = await here.train(here.initial, 5);
  expect(Math.abs(update.trainingLoss - trainingLoss) / trainingLoss).toBeLessThan(1e-4);
});
