/** A real daemon, asked by mutated requests over its socket: it stays up, and answers in form. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { controlSocket } from '@starling/control';
import { expect, onTestFinished, test } from 'vitest';
import { apiDocument } from '../../packages/control/src/api-document.ts';
import { createDice } from '../../packages/secagg/src/testing/random.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { mutateHttp } from './mutate-http.ts';
import type { ApiDocument } from './openapi-samples.ts';
import { isFull } from './size.ts';
import { ask, requestsOf } from './targets-api.ts';

const LAUNCHER = fileURLToPath(new URL('../../apps/cli/bin/starling.js', import.meta.url));
const EXECUTIONS = isFull ? 5_000 : 250;
/** What ends the daemon, asks the network for seconds, or waits for peers that are not there. */
const SLOW = /^(POST \/v1\/(stop|swarm\/join|jobs) |GET \/v1\/network )/;

const starling = (...args: readonly string[]) =>
  promisify(execFile)(process.execPath, [LAUNCHER, ...args]);

test('a real daemon answers every request in form, and is alive after all of them', async () => {
  const state = join(await temporaryDirectory(), 'state');
  const config = `${state}.yaml`;
  await writeFile(config, 'mdns: false\nlisten: ["/ip4/127.0.0.1/tcp/0"]\n');
  await starling('up', '--detach', '--state', state, '--config', config);
  onTestFinished(async () => void (await starling('stop', '--state', state).catch(() => {})));
  const path = controlSocket(state);
  const seeds = requestsOf((await apiDocument()) as ApiDocument, 2).filter(
    (bytes) => !SLOW.test(Buffer.from(bytes).toString('latin1')),
  );
  const dice = createDice(7);
  const kinds = new Map<string, number>();
  for (let i = 0; i < EXECUTIONS; i++) {
    const seed = dice.pick(seeds);
    const input = i < seeds.length ? seeds[i]! : mutateHttp(dice, seed, seeds);
    if (SLOW.test(Buffer.from(input).toString('latin1'))) continue;
    const kind = await ask({ path }, input);
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  expect(kinds.size).toBeGreaterThan(20);
  expect(kinds.get('200')).toBeGreaterThan(10);
  expect(JSON.parse((await starling('status', '--state', state, '--json')).stdout)).toMatchObject({
    jobs: 0,
  });
  expect(await readFile(join(state, 'daemon.log'), 'utf8')).not.toMatch(/bug of its own|Unhandled/);
});
