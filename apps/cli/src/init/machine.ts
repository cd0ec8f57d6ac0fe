import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { containerLimits } from '@starling/node';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** What a machine has, of which a volunteer may give a part. */
export interface MachineFacts {
  /** Whole CPUs that this process may use, by the machine and by its control groups. */
  readonly cpus: number;
  /** Bytes that are free now, by the machine and by its control groups. */
  readonly memory: number;
  readonly hasBattery: boolean;
}

export function machineFacts(): MachineFacts {
  const limits = containerLimits({ text: textOf, names: namesIn });
  return {
    cpus: Math.max(1, Math.floor(Math.min(availableParallelism(), limits.cpus ?? Infinity))),
    memory: Math.min(process.availableMemory(), limits.memoryBytes ?? Infinity),
    hasBattery: hasBattery(),
  };
}

const SUPPLIES = '/sys/class/power_supply';

/** Of the machine, not of its mouse. */
const hasBattery = (): boolean =>
  namesIn(SUPPLIES).some((name) => {
    const read = (file: string) => textOf(`${SUPPLIES}/${name}/${file}`)?.trim();
    return read('type') === 'Battery' && read('scope') !== 'Device';
  });

/** Bytes as the configuration writes them: `4 GiB`, or `768 MiB` where that is no whole half. */
export function amountText(bytes: number): string {
  const halves = Math.floor((2 * bytes) / GIB) / 2;
  return bytes >= 2 * GIB ? `${halves} GiB` : `${Math.floor(bytes / MIB)} MiB`;
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function namesIn(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
