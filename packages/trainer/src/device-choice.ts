import { errorMessage, type Log } from '@starling/core';
import {
  acceleratorsOf,
  DEVICE_NAMES,
  type Device,
  type DeviceChoice,
  ON_CPU,
  type Place,
  type PrecisionChoice,
} from './device.ts';
import type { DeviceTrial } from './device-trial.ts';

/** Whether something can be had, and why not or how it did. */
export interface Finding {
  readonly usable: boolean;
  readonly detail: string;
}

/** What can be said of an accelerator of this machine: how it did beside the CPU. */
export interface DeviceReport extends Finding {
  readonly device: Exclude<Device, 'cpu'>;
  /** Whether it trains with products in float16; absent where it does not train at all. */
  readonly float16?: Finding;
}

/** Tries a job at a place, in a process of its own. */
export type Attempt = (place: Place) => Promise<DeviceTrial>;

/** Knows where jobs can train. */
export interface Places {
  /** All accelerators of this platform. */
  reports(): Promise<readonly DeviceReport[]>;
  choose(attempt: Attempt): Promise<Place>;
}

export interface DeviceChooserOptions {
  readonly wanted: DeviceChoice;
  readonly precision: PrecisionChoice;
  readonly platform: string;
  /** Why a device cannot be there, without trying it. */
  readonly missing: (device: Device) => string | undefined;
  /** Trains a small job of our own. */
  readonly probe: Attempt;
  readonly log: Log;
}

/** An accelerator that trains a job, and how long a step takes there in float32. */
interface Found {
  readonly device: Accelerator;
  readonly ms: number;
}

type Accelerator = Exclude<Device, 'cpu'>;

const NO_DEVICE = 'this platform has no accelerator that ONNX Runtime knows';
/** What ONNX Runtime says of a WebGPU that cannot compute in float16. */
const LACKS_HALF = /requires f16 but the device does not support it/;
const LACKING_HALF = 'its driver has no shader-f16';
const SUMS = 'it adds up the terms of a product in float16';
const NO_HALF = 'float16 is for accelerators: the CPU would only convert to and fro';

/**
 * Chooses where a job trains. Whether a device is there at all is found out once, when it is first
 * asked for; whether it can train a job, by trying that job. The same goes for float16.
 */
export class DeviceChooser implements Places {
  readonly #options: DeviceChooserOptions;
  readonly #reports = new Map<Device, Promise<DeviceReport>>();
  readonly #halves = new Map<Device, Promise<Finding>>();

  constructor(options: DeviceChooserOptions) {
    this.#options = options;
  }

  reports(): Promise<readonly DeviceReport[]> {
    const reported = async (device: Accelerator) => {
      const report = await this.#report(device);
      return report.usable ? { ...report, float16: await this.#half(device) } : report;
    };
    return Promise.all(acceleratorsOf(this.#options.platform).map(reported));
  }

  /**
   * The first device that trains the job; with `auto`, only one that is faster than the CPU. Then
   * float16 if it is asked for and the job trains in it; with `auto`, only where the terms of
   * products are added up in float32 and it is faster.
   */
  async choose(attempt: Attempt): Promise<Place> {
    const { precision, log } = this.#options;
    const found = await this.#device(attempt);
    if (found === undefined) {
      if (precision === 'float16') log.warn('jobs train in float32', { reason: NO_HALF });
      return ON_CPU;
    }
    const isHalf = precision !== 'float32' && (await this.#takesHalf(found, attempt));
    return { device: found.device, precision: isHalf ? 'float16' : 'float32' };
  }

  async #device(attempt: Attempt): Promise<Found | undefined> {
    const { wanted, platform, log } = this.#options;
    if (wanted === 'cpu') return undefined;
    const isAuto = wanted === 'auto';
    const tell = this.#teller(isAuto);
    const candidates = isAuto ? acceleratorsOf(platform) : [wanted];
    if (candidates.length === 0) tell('jobs train on the CPU', { reason: NO_DEVICE });
    for (const device of candidates) {
      const trial = await triedIf(await this.#report(device), () =>
        attempt({ device, precision: 'float32' }),
      );
      if (!trial.ok) {
        tell(`the job does not train on ${device}`, { reason: trial.reason });
        continue;
      }
      const { cpu, device: there } = trial.msPerStep;
      const speed = `${there.toFixed(1)} ms for a step, the CPU ${cpu.toFixed(1)} ms`;
      if (isAuto && there >= cpu) {
        tell(`the job does not train on ${device}`, { reason: `it is slower: ${speed}` });
        continue;
      }
      log.info(`the job trains on ${device}`, { speed });
      return { device, ms: there };
    }
    return undefined;
  }

  /** Whether the job trains in float16 on its device; the log says why, or why not. */
  async #takesHalf({ device, ms }: Found, attempt: Attempt): Promise<boolean> {
    const { precision, log } = this.#options;
    const isAuto = precision === 'auto';
    const trial = await triedIf(await this.#half(device), () =>
      attempt({ device, precision: 'float16' }),
    );
    const speed = trial.ok
      ? `${trial.msPerStep.device.toFixed(1)} ms for a step, float32 ${ms.toFixed(1)} ms`
      : '';
    const reason = reasonAgainst(trial, { isAuto, ms, speed });
    if (reason === undefined) {
      log.info(`the products of the job are in float16 on ${device}`, {
        ...{ speed, sums: trial.ok && trial.sumsInHalf ? 'float16' : 'float32' },
      });
      return true;
    }
    this.#teller(isAuto)(`the job trains in float32 on ${device}`, { reason });
    return false;
  }

  /** What was asked for by name and is not had deserves a warning; what was looked for does not. */
  #teller(isAuto: boolean) {
    const { log } = this.#options;
    return isAuto ? log.info.bind(log) : log.warn.bind(log);
  }

  #report(device: Accelerator): Promise<DeviceReport> {
    return once(this.#reports, device, () => this.#find(device));
  }

  #half(device: Accelerator): Promise<Finding> {
    return once(this.#halves, device, async () => {
      const trial = await outcomeOf(this.#options.probe({ device, precision: 'float16' }));
      if (!trial.ok) {
        const detail = LACKS_HALF.test(trial.reason) ? LACKING_HALF : trial.reason;
        return { usable: false, detail };
      }
      const detail = `${trial.msPerStep.device.toFixed(1)} ms a step`;
      return { usable: true, detail: trial.sumsInHalf ? `${detail}, but ${SUMS}` : detail };
    });
  }

  async #find(device: Accelerator): Promise<DeviceReport> {
    const { missing, probe, platform } = this.#options;
    if (!acceleratorsOf(platform).includes(device)) {
      const what = `${DEVICE_NAMES[device]} is not for ${platform}`;
      return { device, usable: false, detail: what };
    }
    const reason = missing(device);
    if (reason !== undefined) return { device, usable: false, detail: reason };
    const trial = await outcomeOf(probe({ device, precision: 'float32' }));
    if (!trial.ok) return { device, usable: false, detail: trial.reason };
    const { cpu, device: there } = trial.msPerStep;
    const speed = `${there.toFixed(1)} ms a step, the CPU in ${cpu.toFixed(1)} ms`;
    return { device, usable: true, detail: `trains a small perceptron in ${speed}` };
  }
}

interface Beside {
  readonly isAuto: boolean;
  /** Milliseconds of a step in float32. */
  readonly ms: number;
  readonly speed: string;
}

/** Why a job does not train in float16. By name it is taken even where sums are poor, or slow. */
function reasonAgainst(trial: DeviceTrial, { isAuto, ms, speed }: Beside): string | undefined {
  if (!trial.ok) return trial.reason;
  if (!isAuto) return undefined;
  if (trial.sumsInHalf) return SUMS;
  return trial.msPerStep.device < ms ? undefined : `float16 is no faster: ${speed}`;
}

/** What was found of a device, made when it is first asked for. */
function once<T>(known: Map<Device, Promise<T>>, device: Device, make: () => Promise<T>) {
  const found = known.get(device) ?? make();
  known.set(device, found);
  return found;
}

const triedIf = (
  { usable, detail }: Finding,
  attempt: () => Promise<DeviceTrial>,
): Promise<DeviceTrial> =>
  usable ? outcomeOf(attempt()) : Promise.resolve({ ok: false, reason: detail });

/** A child that died of a device says so in its error. */
const outcomeOf = (trial: Promise<DeviceTrial>): Promise<DeviceTrial> =>
  trial.catch((error: unknown) => ({ ok: false, reason: errorMessage(error) }));
