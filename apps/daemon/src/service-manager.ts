import { execFile } from 'node:child_process';
import type { Log } from '@starling/core';

/** Speaks the datagrams of sd_notify(3), which Node.js cannot send. */
const PROGRAM = 'systemd-notify';
const TOLD_MS = 10_000;

/** Who started this process as a service, and wants to know how it does. */
export interface ServiceManager {
  /** The daemon is up; from now on the watchdog is fed from the event loop. */
  ready(): Promise<void>;
  stopping(): Promise<void>;
}

export interface ServiceParts {
  readonly log: Log;
  /** In one line, for `systemctl status`. */
  readonly status: () => string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Without NOTIFY_SOCKET nobody wants to know, and nothing is done. */
export function serviceManager({ log, status, env = process.env }: ServiceParts): ServiceManager {
  let isHeard = env['NOTIFY_SOCKET'] !== undefined;
  const tell = (...words: readonly string[]): Promise<void> =>
    new Promise((resolve) => {
      if (!isHeard) return resolve();
      execFile(PROGRAM, words, { env, timeout: TOLD_MS }, (error, _, stderr) => {
        if (error !== null && isHeard) {
          isHeard = false;
          const remedy = `install ${PROGRAM}, or use Type=exec without WatchdogSec`;
          log.warn('cannot tell the service manager how this daemon does', {
            error: stderr.trim() || error.message,
            remedy,
          });
        }
        resolve();
      });
    });
  const state = () => `STATUS=${status()}`;
  let pulse: NodeJS.Timeout | undefined;
  return {
    async ready() {
      await tell('READY=1', state());
      const every = watchdogPulse(env);
      if (every === undefined || !isHeard) return;
      pulse = setInterval(() => void tell('WATCHDOG=1', state()), every);
      pulse.unref();
    },
    async stopping() {
      clearInterval(pulse);
      await tell('STOPPING=1', 'STATUS=puts everything away');
    },
  };
}

/** Milliseconds between signs of life: half of what the service manager waits for one. */
export function watchdogPulse(env: NodeJS.ProcessEnv, pid = process.pid): number | undefined {
  const microseconds = Number(env['WATCHDOG_USEC']);
  const isOurs = env['WATCHDOG_PID'] === undefined || env['WATCHDOG_PID'] === String(pid);
  return isOurs && microseconds > 0 ? microseconds / 2_000 : undefined;
}
