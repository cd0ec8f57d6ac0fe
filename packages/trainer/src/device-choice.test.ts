import type { Log } from '@starling/core';
import { describe, expect, test } from 'vitest';
import {
  type Device,
  type DeviceChoice,
  ON_CPU,
  type Place,
  type PrecisionChoice,
} from './device.ts';
import { DeviceChooser } from './device-choice.ts';
import type { DeviceTrial } from './device-trial.ts';

const fast: DeviceTrial = { ok: true, msPerStep: { cpu: 10, device: 2 } };
const slow: DeviceTrial = { ok: true, msPerStep: { cpu: 10, device: 90 } };
const failing = (reason: string): DeviceTrial => ({ ok: false, reason });

interface Machine {
  readonly wanted: DeviceChoice;
  readonly precision?: PrecisionChoice;
  readonly platform?: string;
  readonly probes?: Partial<Record<Device, DeviceTrial | Error>>;
  readonly missing?: Partial<Record<Device, string>>;
  /** What probes in float16 come to; there is none unless told. */
  readonly halves?: Partial<Record<Device, DeviceTrial>>;
}

const at = (device: Device, precision: Place['precision'] = 'float32'): Place => ({
  ...{ device, precision },
});

function chooser(machine: Machine) {
  const { wanted, precision = 'float32', platform = 'linux' } = machine;
  const { probes = {}, missing = {}, halves = {} } = machine;
  const lines: string[] = [];
  const tried: string[] = [];
  const on = (level: string) => (message: string, fields?: object) => {
    lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  };
  const log: Log = { debug() {}, info: on('info'), warn: on('warn'), error() {} };
  const made = new DeviceChooser({
    ...{ wanted, precision, platform, log, missing: (device) => missing[device] },
    probe: async ({ device, precision: numbers }) => {
      tried.push(numbers === 'float32' ? device : `${device} ${numbers}`);
      if (numbers === 'float16') return halves[device] ?? failing('it has no float16');
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
    expect(await made.choose(job(fast))).toEqual(at('cuda'));
    expect(lines).toEqual([
      expect.stringMatching(/^info the job trains on cuda .*2\.0 ms for a step/),
    ]);
  });

  test('goes on to the next where one is not there, and says why', async () => {
    const missing = { cuda: 'no NVIDIA GPU: no /dev/nvidia0' };
    const { made, lines, tried } = chooser({ wanted: 'auto', missing, probes: { webgpu: fast } });
    expect(await made.choose(job(fast))).toEqual(at('webgpu'));
    expect(tried).toEqual(['webgpu']);
    expect(lines[0]).toBe(
      'info the job does not train on cuda {"reason":"no NVIDIA GPU: no /dev/nvidia0"}',
    );
  });

  test('stays on the CPU where that is faster, or the graph fails', async () => {
    const { made, lines } = chooser({ wanted: 'auto', probes: { webgpu: fast } });
    expect(await made.choose(job(slow))).toEqual(ON_CPU);
    expect(lines.at(-1)).toContain('it is slower: 90.0 ms for a step, the CPU 10.0 ms');
    expect(await made.choose(job(failing('no kernel for Foo')))).toEqual(ON_CPU);
    expect(lines.at(-1)).toContain('no kernel for Foo');
    expect(lines.every((line) => line.startsWith('info'))).toBe(true);
  });

  test('says so where no accelerator can be', async () => {
    const { made, lines } = chooser({ wanted: 'auto', platform: 'freebsd' });
    expect(await made.choose(job(fast))).toEqual(ON_CPU);
    expect(lines[0]).toContain('no accelerator that ONNX Runtime knows');
  });
});

describe('a device by name', () => {
  test('is taken even where it is slower', async () => {
    const { made } = chooser({ wanted: 'webgpu', probes: { webgpu: slow } });
    expect(await made.choose(job(slow))).toEqual(at('webgpu'));
  });

  test('falls back to the CPU with a warning that says why', async () => {
    const { made, lines } = chooser({ wanted: 'dml' });
    expect(await made.choose(job(fast))).toEqual(ON_CPU);
    expect(lines).toEqual([
      'warn the job does not train on dml {"reason":"DirectML is not for linux"}',
    ]);
  });

  test('cpu tries nothing', async () => {
    const { made, tried } = chooser({ wanted: 'cpu', probes: { webgpu: fast } });
    expect(await made.choose(job(fast))).toEqual(ON_CPU);
    expect(tried).toEqual([]);
  });
});

/** A trial of a job, in float32 and in float16. */
const either = (full: DeviceTrial, half: DeviceTrial) => async (place: Place) =>
  place.precision === 'float32' ? full : half;

describe('float16', () => {
  const halves = { webgpu: fast };
  const probes = { webgpu: fast };
  const wanted = 'webgpu';
  const faster: DeviceTrial = { ok: true, msPerStep: { cpu: 10, device: 1 } };

  test('is not even tried unless it is asked for', async () => {
    const { made, tried } = chooser({ wanted, probes, halves });
    expect(await made.choose(either(fast, faster))).toEqual(at('webgpu'));
    expect(tried).toEqual(['webgpu']);
  });

  test('auto takes it where losses agree and a step is faster', async () => {
    const { made, lines } = chooser({ wanted, probes, halves, precision: 'auto' });
    expect(await made.choose(either(fast, faster))).toEqual(at('webgpu', 'float16'));
    expect(lines.at(-1)).toBe(
      'info the products of the job are in float16 on webgpu ' +
        '{"speed":"1.0 ms for a step, float32 2.0 ms","sums":"float32"}',
    );
    expect(await made.choose(either(fast, fast))).toEqual(at('webgpu'));
    expect(lines.at(-1)).toMatch(/^info the job trains in float32 on webgpu .*is no faster/);
    expect(await made.choose(either(fast, failing('it computes 2')))).toEqual(at('webgpu'));
    expect(lines.at(-1)).toContain('{"reason":"it computes 2"}');
  });

  test('auto leaves it where products are summed in it; by name it is taken', async () => {
    const poor: DeviceTrial = { ...faster, sumsInHalf: true };
    const sums = 'it adds up the terms of a product in float16';
    const auto = chooser({ wanted, probes, halves: { webgpu: poor }, precision: 'auto' });
    expect(await auto.made.choose(either(fast, poor))).toEqual(at('webgpu'));
    expect(auto.lines.at(-1)).toBe(`info the job trains in float32 on webgpu {"reason":"${sums}"}`);
    const [, report] = await auto.made.reports();
    expect(report?.float16).toEqual({ usable: true, detail: `1.0 ms a step, but ${sums}` });
    const named = chooser({ wanted, probes, halves: { webgpu: poor }, precision: 'float16' });
    expect(await named.made.choose(either(fast, poor))).toEqual(at('webgpu', 'float16'));
    expect(named.lines.at(-1)).toContain('"sums":"float16"');
  });

  test('asked for by name is taken even where it is slower', async () => {
    const { made } = chooser({ wanted, probes, halves, precision: 'float16' });
    expect(await made.choose(either(fast, slow))).toEqual(at('webgpu', 'float16'));
  });

  test('that a device lacks leaves its jobs in float32, with a warning that says why', async () => {
    const { made, lines, tried } = chooser({ wanted, probes, precision: 'float16' });
    expect(await made.choose(either(fast, fast))).toEqual(at('webgpu'));
    expect(lines.at(-1)).toBe(
      'warn the job trains in float32 on webgpu {"reason":"it has no float16"}',
    );
    await made.choose(either(fast, fast));
    expect(tried).toEqual(['webgpu', 'webgpu float16']);
  });

  test('that ONNX Runtime refuses for want of shader-f16 is said in fewer words', async () => {
    const refusal = failing(
      'webgpu: Program Cast requires f16 but the device does not support it.',
    );
    const { made } = chooser({ wanted, probes, halves: { webgpu: refusal } });
    const [, report] = await made.reports();
    expect(report?.float16).toEqual({ usable: false, detail: 'its driver has no shader-f16' });
  });

  test('is not for the CPU', async () => {
    const { made, lines } = chooser({ wanted: 'cpu', precision: 'float16' });
    expect(await made.choose(either(fast, fast))).toEqual(ON_CPU);
    expect(lines).toEqual([expect.stringMatching(/^warn jobs train in float32 .*accelerators/)]);
  });
});

test('a probe whose process dies is a reason, and each device is probed once', async () => {
  const halves: Machine['halves'] = {
    webgpu: { ok: true, msPerStep: { cpu: 10, device: 1.5 } },
  };
  const died = new Error('the trainer child ended (SIGSEGV)');
  const { made, tried } = chooser({ wanted: 'auto', probes: { cuda: died, webgpu: fast }, halves });
  expect(await made.reports()).toEqual([
    { device: 'cuda', usable: false, detail: 'the trainer child ended (SIGSEGV)' },
    {
      ...{ device: 'webgpu', usable: true },
      detail: 'trains a small perceptron in 2.0 ms a step, the CPU in 10.0 ms',
      float16: { usable: true, detail: '1.5 ms a step' },
    },
  ]);
  await made.reports();
  await made.choose(job(fast));
  expect(tried.sort()).toEqual(['cuda', 'webgpu', 'webgpu float16']);
});
