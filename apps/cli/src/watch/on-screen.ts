import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { type Key, readKeys } from '../terminal/keys.ts';
import { LiveScreen, type Size, sizeOf } from '../terminal/live-screen.ts';
import { isUnicode, wantsColour } from '../terminal/style.ts';
import type { Look } from './look.ts';

/** Times of the phase go on while nothing happens. */
const TICK_MS = 500;
const POLL_MS = 1000;
/** A poll that takes long comes more seldom, so that watching is never what keeps a daemon busy. */
const POLL_SHARE = 20;

/** Signals that end the watching, with the exit codes that shells give to what they end. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

export interface OnScreen {
  readonly render: (look: Look) => readonly string[];
  /** Asks for what no event brings. */
  readonly poll: () => Promise<void>;
  /** Takes events until there is an end, or until the signal; `changed` has the screen redrawn. */
  readonly follow: (signal: AbortSignal, changed: () => void) => Promise<void>;
}

/**
 * Shows a screen on the terminal until what it follows has ended. The last screen stays on the
 * terminal. With q, Ctrl-C or a signal the process ends: a daemon that does not answer would keep
 * it waiting.
 */
export async function onScreen({ render, poll, follow }: OnScreen): Promise<void> {
  const screen = new LiveScreen(process.stdout, (size) => render(lookOf(size)));
  const ending = new AbortController();
  let exitCode: number | undefined;
  const leave = (code: number): void => {
    exitCode = code;
    ending.abort();
  };
  const open = () => {
    screen.open();
    return readKeys(process.stdin, take);
  };
  const take = (key: Key): void => {
    if (key === 'suspend') suspend();
    else leave(key === 'leave' ? 0 : SIGNALS.SIGINT);
  };
  const suspend = (): void => {
    // Windows has no way to do it.
    if (process.platform === 'win32') return;
    closeKeys();
    screen.close();
    process.once('SIGCONT', () => {
      closeKeys = open();
    });
    process.kill(process.pid, 'SIGSTOP');
  };
  const signals = Object.keys(SIGNALS) as (keyof typeof SIGNALS)[];
  const interrupt = (signal: keyof typeof SIGNALS) => leave(SIGNALS[signal]);
  for (const signal of signals) process.on(signal, interrupt);
  let closeKeys = open();
  const ticks = setInterval(() => screen.refresh(), TICK_MS);
  void polls(poll, ending.signal, () => screen.refresh());
  try {
    await follow(ending.signal, () => screen.refresh());
  } finally {
    ending.abort();
    clearInterval(ticks);
    closeKeys();
    screen.close();
    for (const signal of signals) process.off(signal, interrupt);
    process.stdout.write(`${lastOf(render).join('\n')}\n`);
  }
  if (exitCode !== undefined) process.exit(exitCode);
}

/** A summary and a prompt come below, and the first line should still be seen then. */
const ROWS_BELOW = 3;

function lastOf(render: OnScreen['render']): readonly string[] {
  const { columns, rows } = sizeOf(process.stdout);
  return render(lookOf({ columns, rows: Math.max(1, rows - ROWS_BELOW) }));
}

/** An answer that fails is not the screen's matter: the events tell when the daemon is gone. */
async function polls(
  poll: () => Promise<void>,
  signal: AbortSignal,
  changed: () => void,
): Promise<void> {
  while (!signal.aborted) {
    const began = performance.now();
    await poll().then(changed, () => {});
    const wait = Math.max(POLL_MS, POLL_SHARE * (performance.now() - began));
    await pause(wait, undefined, { signal }).catch(() => {});
  }
}

export const lookOf = ({ columns, rows }: Size): Look => ({
  ...{ columns, rows },
  unicode: isUnicode(process.env),
  colour: wantsColour(process.stdout, process.env),
});
