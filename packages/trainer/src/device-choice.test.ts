import type { Log } from '@starling/core';
import { describe, expect, test } from 'vitest';
import type { Device, DeviceChoice } from './device.ts';
import { DeviceChooser } from './device-choice.ts';
import type { DeviceTrial } from './device-trial.ts';

const fast: DeviceTrial = { ok: true, msPerStep: { cpu: 10, device: 2 } };
const slow: DeviceTrial = { ok: true, msPerStep: { cpu: 10, device: 90 } };
const failing = (reason: string): DeviceTrial => ({ ok: false, reason });

interface Machine {
  readonly wanted: DeviceChoice;
  readonly platform?: string;
  readonly probes?: Partial<Record<Device, DeviceTrial | Error>>;
  readonly missing?: Partial<Record<Device, string>>;
}

function chooser({ wanted, platform = 'linux', probes = {}, missing = {} }: Machine) {
  const lines: string[] = [];
  const tried: Device[] = [];
  const at = (level: string) => (message: string, fields?: object) => {
    lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  };
  const log: Log = { debug() {}, info: at('info'), warn: at('warn'), error() {} };
  const made = new DeviceChooser({
    ...{ wanted, platform, log, missing: (device) => missing[device] },
    probe: async (device) => {
      tried.push(device);
      const outcome = probes[device] ?? failing('there is none');
      if (outcome instanceof Error) throw outcome;
      return outcome;
    },
  });
  return { made, lines, tried };
}

const job = (outcome: DeviceTrial) => async () => outcome;

describe('auto', () => {
  test('takes the first device that trains the job, and faster than the CPU', async () => {
    const { made, lines } = chooser({ wanted: 'auto', probes: { cuda: fast, webgpu: fast } });
    expect(await made.choose(job(fast))).toBe('cuda');
    expect(lines).toEqual([
      expect.stringMatching(/^info the job trains on cuda .*2\.0 ms for a step/),
    ]);
  });

  test('goes on to the next where one is not there, and says why', async () => {
    const missing = { cuda: 'no NVIDIA GPU: no /dev/nvidia0' };
    const { made, lines, tried } = chooser({ wanted: 'auto', missing, probes: { webgpu: fast } });
    expect(await made.choose(job(fast))).toBe('webgpu');
    expect(tried).toEqual(['webgpu']);
    expect(lines[0]).toBe(
      'info the job does not train on cuda {"reason":"no NVIDIA GPU: no /dev/nvidia0"}',
    );
  });

  test('stays on the CPU where that is faster, or the graph fails', async () => {
    const { made, lines } = chooser({ wanted: 'auto', probes: { webgpu: fast } });
    expect(await made.choose(job(slow))).toBe('cpu');
    expect(lines.at(-1)).toContain('it is slower: 90.0 ms for a step, the CPU 10.0 ms');
    expect(await made.choose(job(failing('no kernel for Foo')))).toBe('cpu');
    expect(lines.at(-1)).toContain('no kernel for Foo');
    expect(lines.every((line) => line.startsWith('info'))).toBe(true);
  });

  test('says so where no accelerator can be', async () => {
    const { made, lines } = chooser({ wanted: 'auto', platform: 'freebsd' });
    expect(await made.choose(job(fast))).toBe('cpu');
    expect(lines[0]).toContain('no accelerator that ONNX Runtime knows');
  });
});

describe('a device by name', () => {
  test('is taken even where it is slower', async () => {
    const { made } = chooser({ wanted: 'webgpu', probes: { webgpu: slow } });
    expect(await made.choose(job(slow))).toBe('webgpu');
  });

  test('falls back to the CPU with a warning that says why', async () => {
    const { made, lines } = chooser({ wanted: 'dml' });
    expect(await made.choose(job(fast))).toBe('cpu');
    expect(lines).toEqual([
      'warn the job does not train on dml {"reason":"DirectML is not for linux"}',
    ]);
  });

  test('cpu tries nothing', async () => {
    const { made, tried } = chooser({ wanted: 'cpu', probes: { webgpu: fast } });
    expect(await made.choose(job(fast))).toBe('cpu');
    expect(tried).toEqual([]);
  });
});

test('a probe whose process dies is a reason, and each device is probed once', async () => {
  const died = new Error('the trainer child ended (SIGSEGV)');
  const { made, tried } = chooser({ wanted: 'auto', probes: { cuda: died, webgpu: fast } });
  expect(await made.reports()).toEqual([
    { device: 'cuda', usable: false, detail: 'the trainer child ended (SIGSEGV)' },
    {
      ...{ device: 'webgpu', usable: true },
      detail: 'trains a small perceptron in 2.0 ms a step, the CPU in 10.0 ms',
    },
  ]);
  await made.reports();
  await made.choose(job(fast));
  expect(tried).toEqual(['cuda', 'webgpu']);
});
