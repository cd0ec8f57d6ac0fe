import { existsSync } from 'node:fs';
import { ALL_SHARED } from '@starling/autodiff';
import { expect, onTestFinished, test } from 'vitest';
import { type CageSupport, cagedCommand } from '../../packages/trainer/src/cage.ts';
import { type DeathCause, TrainerChild } from '../../packages/trainer/src/child.ts';
import { limitsOf } from '../../packages/trainer/src/limits.ts';

const log = { debug() {}, info() {}, warn() {}, error() {} };
const OPEN: CageSupport = { isolation: 'open', memoryLimit: false, privileges: false, missing: [] };

test('where the kernel holds no limit, a child above it is ended', async () => {
  if (!existsSync('/proc/self/status')) return console.log('skipped: no /proc');
  const limits = limitsOf({ memory: 300 * 2 ** 20 });
  const entry = new URL('./hog-child.mjs', import.meta.url);
  const command = cagedCommand(OPEN, limits, { entry, readable: [], network: false });
  const deaths: DeathCause[] = [];
  const onDeath = (cause: DeathCause) => deaths.push(cause);
  const child = new TrainerChild({ command, limits, log, onDeath });
  onTestFinished(() => child.kill());
  const request = child.request({ kind: 'describe', model: new Uint8Array(), weights: ALL_SHARED });
  await expect(request).rejects.toThrow(/SIGKILL.*it holds \d+ MiB of at most 300 MiB/);
  expect(deaths).toEqual(['out of memory']);
});
