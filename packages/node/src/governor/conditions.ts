import { type MachineFiles, numberIn } from './machine-files.ts';

/** Part of a day, in minutes after midnight; it may go over midnight. */
export interface HourSpan {
  readonly from: number;
  readonly to: number;
}

const SPAN = /^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)$/;
const DAY_MINUTES = 24 * 60;

/** `22:00-07:00`, local time; undefined when it is not of that form, or empty. */
export function parseHours(text: string): HourSpan | undefined {
  const [, fromHour, fromMinute, toHour, toMinute] = SPAN.exec(text) ?? [];
  if (toMinute === undefined) return undefined;
  const from = 60 * Number(fromHour) + Number(fromMinute);
  const to = 60 * Number(toHour) + Number(toMinute);
  return from === to || to > DAY_MINUTES ? undefined : { from, to };
}

/** Whether a time of day lies in one of the spans; always when there are none. */
export function isWithin(spans: readonly HourSpan[], minute: number): boolean {
  if (spans.length === 0) return true;
  return spans.some(({ from, to }) =>
    from < to ? minute >= from && minute < to : minute >= from || minute < to,
  );
}

const SUPPLIES = '/sys/class/power_supply';

/**
 * Whether the machine runs on its battery; a mouse's battery does not count. False where nothing
 * tells.
 */
export function isOnBattery(files: MachineFiles): boolean {
  let isDischarging = false;
  for (const name of files.names(SUPPLIES)) {
    const read = (file: string) => files.text(`${SUPPLIES}/${name}/${file}`)?.trim();
    if (read('type') !== 'Battery') {
      if (numberIn(files, `${SUPPLIES}/${name}/online`) === 1) return false;
    } else if (read('scope') !== 'Device' && read('status') === 'Discharging') {
      isDischarging = true;
    }
  }
  return isDischarging;
}

interface CpuReading {
  readonly total: number;
  readonly busy: number;
  /** Of our own processes, by their ids: one that ended or began must not look like a jump. */
  readonly own: ReadonlyMap<number, number>;
}

/** Readings closer together are too coarse: the kernel counts in hundredths of a second. */
const READINGS_MAX = 5;

/**
 * How much of the machine's CPUs others use, over the last readings: all that is busy but our own
 * processes, so that training does not take itself for somebody else.
 */
export class OthersLoad {
  readonly #files: MachineFiles;
  readonly #own: () => readonly number[];
  readonly #readings: CpuReading[] = [];

  /** @param own ids of our processes */
  constructor(files: MachineFiles, own: () => readonly number[]) {
    this.#files = files;
    this.#own = own;
  }

  /** Takes a reading. 0 … 1; undefined with the first one, and where there is no /proc. */
  read(): number | undefined {
    const now = this.#reading();
    if (now === undefined) return undefined;
    this.#readings.push(now);
    if (this.#readings.length > READINGS_MAX) this.#readings.shift();
    const [first] = this.#readings;
    if (first === undefined || now.total <= first.total) return undefined;
    let own = 0;
    for (const [pid, ticks] of now.own) own += Math.max(0, ticks - (first.own.get(pid) ?? ticks));
    const others = now.busy - first.busy - own;
    return Math.min(1, Math.max(0, others / (now.total - first.total)));
  }

  #reading(): CpuReading | undefined {
    const line = this.#files.text('/proc/stat')?.split('\n', 1)[0];
    const fields = line?.split(/\s+/).slice(1, 9).map(Number);
    if (fields === undefined || fields.length < 5) return undefined;
    const total = fields.reduce((sum, each) => sum + each, 0);
    // Idle, and idle for want of a disk. Nice time is busy: it is somebody's.
    const busy = total - fields[3]! - fields[4]!;
    const own = new Map<number, number>();
    for (const pid of this.#own()) {
      const ticks = this.#ticksOf(pid);
      if (ticks !== undefined) own.set(pid, ticks);
    }
    return { total, busy, own };
  }

  #ticksOf(pid: number): number | undefined {
    // The name in brackets may hold spaces; utime and stime are the 12th and 13th after it.
    const rest = this.#files.text(`/proc/${pid}/stat`)?.split(') ').at(-1)?.split(' ');
    return rest === undefined ? undefined : Number(rest[11]) + Number(rest[12]);
  }
}

/** Part of the last ten seconds in which something waited for memory, 0 … 1 (PSI, Linux 4.20). */
export function memoryPressure(files: MachineFiles): number | undefined {
  const found = /^some avg10=([\d.]+)/m.exec(files.text('/proc/pressure/memory') ?? '')?.[1];
  return found === undefined ? undefined : Number(found) / 100;
}
