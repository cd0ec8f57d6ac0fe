import { errorMessage } from '@starling/core';
import type { CageSupport, DeviceChoice, DeviceReport, PrecisionChoice } from '@starling/trainer';
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

/** What `resources.trainer` says of where jobs train. */
export interface WantedPlace {
  readonly device: DeviceChoice;
  readonly precision: PrecisionChoice;
}

export function devicesCheck(
  probe: TrainerProbe,
  { device: wanted, precision }: WantedPlace,
): Check {
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
      const found = reports.flatMap(({ device, usable, detail, float16 }): Finding[] => {
        if (usable) return [ok(`${device}: ${detail}`), ...halfFindings(device, float16)];
        return [device === wanted ? unusable(device, detail) : skipped(`${device}: ${detail}`)];
      });
      const hasHalf = reports.some(({ float16 }) => float16?.usable);
      const noHalf = precision === 'float16' && !hasHalf ? [NO_HALF] : [];
      return [ok('cpu: always there'), ...found, ...missing, ...noHalf];
    },
  };
}

function halfFindings(device: string, float16: DeviceReport['float16']): readonly Finding[] {
  if (float16 === undefined) return [];
  const { usable, detail } = float16;
  if (usable) return [ok(`${device}, float16: yes, ${detail}`)];
  return [skipped(`${device}, float16: no, because ${detail}`)];
}

const NO_HALF = warn(
  'float16: no device has it. Jobs train in float32, though the configuration says float16',
  'Set resources.trainer.precision to float32 or auto',
);

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
