import { setTimeout as delay } from 'node:timers/promises';
import { type Log, ProtocolError } from '@starling/core';
import type { CagedCommand } from './cage.ts';
import { type DeathCause, TrainerChild } from './child.ts';
import type { TrainerLimits } from './limits.ts';

/** A job that ends its child so often is refused. */
export const DEATHS_MAX = 3;
const BACKOFF_MAX = 60;

export interface LivesOptions {
  /** Called for every life: what there is to read may have changed. */
  readonly command: () => Promise<CagedCommand>;
  readonly limits: TrainerLimits;
  readonly log: Log;
  /** Milliseconds before the second life; twice as many before each one after it. */
  readonly backoffMs: number;
}

/** Milliseconds to wait after so many deaths: 0, 1, 2, 4 … 60 times `backoffMs`. */
export function restartDelay(deaths: number, backoffMs: number): number {
  return deaths === 0 ? 0 : backoffMs * Math.min(BACKOFF_MAX, 2 ** (deaths - 1));
}

/** The children of one job, one after another: the next one starts when it is first needed. */
export class Lives {
  readonly #options: LivesOptions;
  readonly #deaths: DeathCause[] = [];
  readonly #closing = new AbortController();
  #diedAt = 0;
  #child: TrainerChild | undefined;
  #starting: Promise<TrainerChild> | undefined;

  constructor(options: LivesOptions) {
    this.#options = options;
  }

  /** Process id of the present child. */
  get pid(): number | undefined {
    return this.#child?.alive ? this.#child.pid : undefined;
  }

  /**
   * The present child, or the next one once the back-off has passed.
   * @throws ProtocolError `trainer-refused` when there were too many, `trainer-died` when closed
   */
  living(): Promise<TrainerChild> {
    if (this.#child?.alive) return Promise.resolve(this.#child);
    this.#starting ??= this.#start().finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  get closed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Ends the present child, which is not to blame; the next one starts when it is needed. */
  async renew(): Promise<void> {
    await this.#starting?.catch(() => {});
    if (this.#child?.alive) await this.#child.kill();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#starting?.catch(() => {});
    await this.#child?.kill();
  }

  async #start(): Promise<TrainerChild> {
    const { command, limits, log, backoffMs } = this.#options;
    const { signal } = this.#closing;
    if (this.#deaths.length >= DEATHS_MAX) {
      throw new ProtocolError('trainer-refused', blame(this.#deaths));
    }
    const passed = performance.now() - this.#diedAt;
    const wait = restartDelay(this.#deaths.length, backoffMs) - passed;
    if (wait > 0) await delay(wait, undefined, { signal }).catch(() => {});
    const built = signal.aborted ? undefined : await command();
    if (built === undefined || signal.aborted) {
      throw new ProtocolError('trainer-died', 'the trainer is closed');
    }
    const onDeath = (cause: DeathCause) => {
      this.#deaths.push(cause);
      this.#diedAt = performance.now();
      log.warn('a trainer child died', { cause, deaths: this.#deaths.length });
    };
    this.#child = new TrainerChild({ command: built, limits, log, onDeath });
    return this.#child;
  }
}

/** For instance: the model ended the trainer three times: out of memory twice, crash once. */
export function blame(deaths: readonly DeathCause[]): string {
  const causes = [...new Set(deaths)];
  const counted = causes.map((cause) => `${cause} ${times(deaths.filter((d) => d === cause))}`);
  return `the model ended the trainer ${times(deaths)}: ${counted.join(', ')}`;
}

function times({ length }: readonly DeathCause[]): string {
  return ['never', 'once', 'twice', 'three times'][length] ?? `${length} times`;
}
