import { errorMessage } from '@starling/core';
import type { CageSupport, DeviceChoice, DeviceReport } from '@starling/trainer';
import { type Check, type Finding, fail, ok, skipped, warn } from './check.ts';

/** What the checks ask of the trainer. */
export interface TrainerProbe {
  /** Reads a small model in a caged child. */
  start(): Promise<void>;
  devices(): Promise<readonly DeviceReport[]>;
  support(): Promise<CageSupport>;
  /** What is in force, a line each. */
  cage(): Promise<readonly string[]>;
}

export function trainerCheck(probe: TrainerProbe): Check {
  return {
    id: 'trainer',
    title: 'Trainer',
    async run() {
      try {
        await probe.start();
        return [ok('its process starts, loads ONNX Runtime and reads a model')];
      } catch (error) {
        const what = `its process does not work: ${errorMessage(error)}`;
        return [fail(what, 'Install again with `npm ci`; ONNX Runtime needs glibc 2.28 or later')];
      }
    },
  };
}

/** @param wanted `resources.trainer.device` */
export function devicesCheck(probe: TrainerProbe, wanted: DeviceChoice): Check {
  return {
    id: 'devices',
    title: 'Devices',
    async run() {
      const reports = await probe.devices();
      const named = reports.find(({ device }) => device === wanted);
      const missing =
        wanted === 'auto' || wanted === 'cpu' || named !== undefined
          ? []
          : [unusable(wanted, 'it is not for this platform')];
      const found = reports.map(({ device, usable, detail }): Finding => {
        if (usable) return ok(`${device}: ${detail}`);
        return device === wanted ? unusable(device, detail) : skipped(`${device}: ${detail}`);
      });
      return [ok('cpu: always there'), ...found, ...missing];
    },
  };
}

const unusable = (device: string, detail: string): Finding =>
  warn(
    `${device}: ${detail}. Jobs train on the CPU, though the configuration says ${device}`,
    'Do what the reason says, or set resources.trainer.device to auto',
  );

const UTIL_LINUX = 'Install util-linux 2.33 or later';
const NAMESPACES =
  'Allow user namespaces: sysctl kernel.unprivileged_userns_clone=1, on Ubuntu also ' +
  'kernel.apparmor_restrict_unprivileged_userns=0, in a container ' +
  '--security-opt seccomp=unconfined';
const ELSEWHERE = 'Run the daemon as a user of its own, who can read nothing but the data';

export function cageCheck(probe: TrainerProbe, platform: string): Check {
  return {
    id: 'cage',
    title: 'Cage of the trainer',
    async run() {
      const support = await probe.support();
      const lines = await probe.cage();
      const inForce = lines.filter((line) => !support.missing.includes(line));
      return [...inForce.map(ok), ...support.missing.map((line) => warn(line, nextFor(line)))];
    },
  };

  function nextFor(line: string): string {
    if (platform !== 'linux') return ELSEWHERE;
    return /namespaces/.test(line) ? NAMESPACES : UTIL_LINUX;
  }
}
