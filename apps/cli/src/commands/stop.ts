import { setTimeout as pause } from 'node:timers/promises';
import type { ControlClient } from '@starling/control';
import { ConfigError } from '@starling/core';
import type { Command } from 'commander';
import { addDaemonCommand, type DaemonOptions } from '../options.ts';
import { print, printJson } from '../output.ts';

/** A local step that is under way is finished first. */
const PATIENCE_MS = 30_000;
const LOOK_EVERY_MS = 25;

export function registerStop(program: Command): void {
  addDaemonCommand(program, {
    usage: 'stop',
    summary: 'stop the running daemon and wait until it is gone',
    examples: ['stop'],
  }).action(async (options: DaemonOptions) => {
    const { clientOf, isRemote } = await import('../client.ts');
    const client = clientOf(options);
    const { pid, peerId } = await client.status();
    await client.stop();
    // The number of a process elsewhere says nothing here.
    if (isRemote(options)) await untilSilent(client);
    else await untilGone(pid);
    if (options.json) printJson({ stopped: true, pid, peerId });
    else print(`stopped (process ${pid})`);
  });
}

/** It answers no more: elsewhere nothing else can be seen. */
async function untilSilent(client: ControlClient): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (await isAnswering(client)) {
    if (performance.now() > deadline) {
      const message = `the daemon still answers after ${PATIENCE_MS / 1000} seconds`;
      throw new ConfigError('daemon', message, 'Wait, or end it where it runs');
    }
    await pause(LOOK_EVERY_MS);
  }
}

async function isAnswering(client: ControlClient): Promise<boolean> {
  try {
    await client.status();
    return true;
  } catch (error) {
    if (error instanceof ConfigError && error.key === 'daemon') return false;
    throw error;
  }
}

/** Nobody but its parent is told when a process ends, so we look. */
async function untilGone(pid: number): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (isRunning(pid)) {
    if (performance.now() > deadline) {
      const message = `process ${pid} has not ended within ${PATIENCE_MS / 1000} seconds`;
      throw new ConfigError('daemon', message, `Wait, or end it with \`kill -9 ${pid}\``);
    }
    await pause(LOOK_EVERY_MS);
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is there, and another user's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
