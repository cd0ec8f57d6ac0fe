import { readFileSync } from 'node:fs';

/** What a trainer child may take of the machine. */
export interface TrainerLimits {
  /** Bytes of memory of one child, ONNX Runtime and the data included. */
  readonly memory: number;
  /** Threads for one operator. */
  readonly cpuThreads: number;
  /** Part of the time in which the child runs, above 0 and up to 1; it is held up for the rest. */
  readonly cpuShare: number;
  /** Niceness of the child, 0 to 19. */
  readonly nice: number;
  /** Wall-clock seconds for one minibatch, on average over a run: the run ends at their sum. */
  readonly secondsPerStep: number;
  /** Wall-clock seconds for any request that is no training: reading, preparing, evaluating. */
  readonly secondsPerRequest: number;
}

const GIB = 2 ** 30;
/** A child at rest takes 50 MiB, small models a few hundred. */
export const MEMORY_MIN = 256 * 2 ** 20;
/** A run of many long steps ends all the same. */
const RUN_SECONDS_MAX = 86_400;

/**
 * Half of the memory that this process may still take, by its control groups and the machine's
 * free memory; at least 1 GiB.
 */
export function defaultMemory(): number {
  return Math.max(GIB, Math.floor(process.availableMemory() / 2));
}

/** Limits of which some, or none, are told. */
export type GivenLimits = { readonly [K in keyof TrainerLimits]?: TrainerLimits[K] | undefined };

export function limitsOf(given: GivenLimits = {}): TrainerLimits {
  return {
    memory: given.memory ?? defaultMemory(),
    cpuThreads: given.cpuThreads ?? 1,
    cpuShare: given.cpuShare ?? 1,
    nice: given.nice ?? 10,
    secondsPerStep: given.secondsPerStep ?? 60,
    secondsPerRequest: given.secondsPerRequest ?? 3600,
  };
}

/** Milliseconds for a training of so many minibatches; time in which it is held up is on top. */
export function runMilliseconds(limits: TrainerLimits, steps: number): number {
  const { secondsPerStep, cpuShare } = limits;
  const seconds = Math.min(RUN_SECONDS_MAX, secondsPerStep * Math.max(1, steps));
  return Math.ceil((1000 * seconds) / cpuShare);
}

export const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;

/** The number that `pattern` finds in a file of /proc, undefined where there is none. */
function numberIn(file: string, pattern: RegExp, unit: number): number | undefined {
  try {
    const found = pattern.exec(readFileSync(file, 'utf8'))?.[1];
    return found === undefined ? undefined : Number(found) * unit;
  } catch {
    return undefined;
  }
}

/**
 * Bytes that a process holds for itself: anonymous and shared memory, not the libraries that it
 * maps. Undefined when it is gone, or where there is no /proc.
 */
export function residentBytes(pid: number): number | undefined {
  const file = `/proc/${pid}/status`;
  const anonymous = numberIn(file, /^RssAnon:\s+(\d+) kB$/m, 1024);
  const shared = numberIn(file, /^RssShmem:\s+(\d+) kB$/m, 1024);
  return anonymous === undefined ? undefined : anonymous + (shared ?? 0);
}
