import { errorMessage, type Log } from '@starling/core';
import { acceleratorsOf, DEVICE_NAMES, type Device, type DeviceChoice } from './device.ts';
import type { DeviceTrial } from './device-trial.ts';

/** What can be said of an accelerator of this machine. */
export interface DeviceReport {
  readonly device: Exclude<Device, 'cpu'>;
  readonly usable: boolean;
  /** Why not, or how it did beside the CPU. */
  readonly detail: string;
}

export interface DeviceChooserOptions {
  readonly wanted: DeviceChoice;
  readonly platform: string;
  /** Why a device cannot be there, without trying it. */
  readonly missing: (device: Device) => string | undefined;
  /** Trains a small job of our own in a process of its own. */
  readonly probe: (device: Device) => Promise<DeviceTrial>;
  readonly log: Log;
}

const NO_DEVICE = 'this platform has no accelerator that ONNX Runtime knows';

/**
 * Chooses where a job trains. Whether a device is there at all is found out once, when it is first
 * asked for; whether it can train a job, by trying that job.
 */
export class DeviceChooser {
  readonly #options: DeviceChooserOptions;
  readonly #reports = new Map<Device, Promise<DeviceReport>>();

  constructor(options: DeviceChooserOptions) {
    this.#options = options;
  }

  /** All accelerators of this platform. */
  reports(): Promise<readonly DeviceReport[]> {
    const devices = acceleratorsOf(this.#options.platform);
    return Promise.all(devices.map((device) => this.#report(device)));
  }

  /**
   * The first device that trains the job; with `auto`, only one that is faster than the CPU.
   * @param attempt tries the job on a device, in a process of its own
   */
  async choose(attempt: (device: Device) => Promise<DeviceTrial>): Promise<Device> {
    const { wanted, platform, log } = this.#options;
    if (wanted === 'cpu') return 'cpu';
    const isAuto = wanted === 'auto';
    // What was asked for by name and is not had deserves a warning; what merely was looked for not.
    const tell = isAuto ? log.info.bind(log) : log.warn.bind(log);
    const candidates = isAuto ? acceleratorsOf(platform) : [wanted];
    if (candidates.length === 0) tell('jobs train on the CPU', { reason: NO_DEVICE });
    for (const device of candidates) {
      const { usable, detail } = await this.#report(device);
      const trial = usable
        ? await outcomeOf(attempt(device))
        : ({ ok: false, reason: detail } as const);
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
      return device;
    }
    return 'cpu';
  }

  #report(device: Exclude<Device, 'cpu'>): Promise<DeviceReport> {
    const known = this.#reports.get(device);
    if (known !== undefined) return known;
    const report = this.#find(device);
    this.#reports.set(device, report);
    return report;
  }

  async #find(device: Exclude<Device, 'cpu'>): Promise<DeviceReport> {
    const { missing, probe, platform } = this.#options;
    if (!acceleratorsOf(platform).includes(device)) {
      const what = `${DEVICE_NAMES[device]} is not for ${platform}`;
      return { device, usable: false, detail: what };
    }
    const reason = missing(device);
    if (reason !== undefined) return { device, usable: false, detail: reason };
    const trial = await outcomeOf(probe(device));
    if (!trial.ok) return { device, usable: false, detail: trial.reason };
    const { cpu, device: there } = trial.msPerStep;
    const speed = `${there.toFixed(1)} ms a step, the CPU in ${cpu.toFixed(1)} ms`;
    return { device, usable: true, detail: `trains a small perceptron in ${speed}` };
  }
}

/** A child that died of a device says so in its error. */
const outcomeOf = (trial: Promise<DeviceTrial>): Promise<DeviceTrial> =>
  trial.catch((error: unknown) => ({ ok: false, reason: errorMessage(error) }));
