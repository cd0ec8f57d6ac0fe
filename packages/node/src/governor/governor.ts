import { type Bandwidth, type Clock, millis } from '@starling/core';
import { type HourSpan, isOnBattery, isWithin, memoryPressure, OthersLoad } from './conditions.ts';
import { type ContainerLimits, containerLimits } from './container.ts';
import type { MachineFiles } from './machine-files.ts';
import { TokenBucket } from './token-bucket.ts';

/** What the owner lets Starling take. */
export interface ResourceLimits {
  /** Bytes a second. */
  readonly upload?: number | undefined;
  readonly download?: number | undefined;
  /** Bytes of the daemon and its trainer together. */
  readonly memory?: number | undefined;
  /** Times of day at which it may take part; all when there are none. */
  readonly hours: readonly HourSpan[];
  readonly pauseOnBattery: boolean;
  /** Part of the machine's CPUs that others use from which on it pauses. */
  readonly pauseWhenBusy?: number | undefined;
}

export type PauseReason = 'hours' | 'battery' | 'busy' | 'memory';

export interface GovernorParts {
  readonly clock: Clock;
  readonly files: MachineFiles;
  /** As they are now. */
  readonly limits: () => ResourceLimits;
  /** Minutes after midnight, local time. */
  readonly minuteOfDay: () => number;
  /** Bytes that the daemon and its trainer hold. */
  readonly memoryUsed: () => number;
  /** Process ids of the daemon and its trainer. */
  readonly processes: () => readonly number[];
  /** Called when taking part is to pause, with another reason or none any more. */
  readonly onChange: (reasons: readonly PauseReason[]) => void;
}

export interface GovernorStatus {
  readonly paused: readonly PauseReason[];
  readonly upload: { readonly perSecond: number; readonly total: number };
  readonly download: { readonly perSecond: number; readonly total: number };
  readonly memoryUsed: number;
  /** The owner's cap, or the container's if that is less. */
  readonly memoryMax: number | undefined;
  /** 0 … 1. */
  readonly othersLoad: number | undefined;
  readonly memoryPressure: number | undefined;
  readonly container: ContainerLimits;
}

/** Everything is to be honoured within a second. */
const LOOK_MS = 500;
/** Once paused it goes on when the load has fallen below this part of the limit. */
const CALM = 0.75;
/** Part of ten seconds in which something waits for memory. */
const PRESSURE_MAX = 0.2;

/**
 * Keeps what the owner lets Starling take: the pace of all streams, and whether this peer is in
 * new rounds. A pause ends nothing that goes on.
 */
export class Governor {
  readonly bandwidth: Bandwidth;
  readonly #parts: GovernorParts;
  readonly #up: TokenBucket;
  readonly #down: TokenBucket;
  readonly #load: OthersLoad;
  readonly #container: ContainerLimits;
  #reasons: readonly PauseReason[] = [];
  #othersLoad: number | undefined;
  #pressure: number | undefined;
  #cancel: (() => void) | undefined;
  #rates: readonly (number | undefined)[] = [];

  constructor(parts: GovernorParts) {
    const { clock, limits, files } = parts;
    this.#parts = parts;
    this.#up = new TokenBucket({ clock, rate: () => limits().upload });
    this.#down = new TokenBucket({ clock, rate: () => limits().download });
    this.bandwidth = { up: this.#up, down: this.#down };
    this.#load = new OthersLoad(files, parts.processes);
    this.#container = containerLimits(files);
  }

  /** Looks at once, and from then on twice a second. */
  start(): void {
    this.#look();
    this.#cancel = this.#parts.clock.setTimer(millis(LOOK_MS), () => this.start());
  }

  stop(): void {
    this.#cancel?.();
  }

  get paused(): readonly PauseReason[] {
    return this.#reasons;
  }

  status(): GovernorStatus {
    return {
      paused: this.#reasons,
      upload: this.#up.report(),
      download: this.#down.report(),
      memoryUsed: this.#parts.memoryUsed(),
      memoryMax: this.#memoryMax(),
      othersLoad: this.#othersLoad,
      memoryPressure: this.#pressure,
      container: this.#container,
    };
  }

  #look(): void {
    const { limits, onChange, files } = this.#parts;
    const { upload, download } = limits();
    if (this.#rates[0] !== upload) this.#up.poke();
    if (this.#rates[1] !== download) this.#down.poke();
    this.#rates = [upload, download];
    this.#othersLoad = this.#load.read();
    this.#pressure = memoryPressure(files);
    const reasons = this.#find(limits());
    const isSame = reasons.join() === this.#reasons.join();
    this.#reasons = reasons;
    if (!isSame) onChange(reasons);
  }

  #find(limits: ResourceLimits): readonly PauseReason[] {
    const { files, minuteOfDay, memoryUsed } = this.#parts;
    const reasons: PauseReason[] = [];
    if (!isWithin(limits.hours, minuteOfDay())) reasons.push('hours');
    if (limits.pauseOnBattery && isOnBattery(files)) reasons.push('battery');
    if (this.#isBusy(limits.pauseWhenBusy)) reasons.push('busy');
    const most = this.#memoryMax();
    if (most !== undefined && memoryUsed() > most) reasons.push('memory');
    return reasons;
  }

  #isBusy(limit: number | undefined): boolean {
    if (limit === undefined) return false;
    const factor = this.#reasons.includes('busy') ? CALM : 1;
    const isLoaded = (this.#othersLoad ?? 0) >= factor * limit;
    return isLoaded || (this.#pressure ?? 0) >= factor * PRESSURE_MAX;
  }

  #memoryMax(): number | undefined {
    const own = this.#parts.limits().memory;
    const { memoryBytes } = this.#container;
    return own === undefined || memoryBytes === undefined
      ? (own ?? memoryBytes)
      : Math.min(own, memoryBytes);
  }
}
