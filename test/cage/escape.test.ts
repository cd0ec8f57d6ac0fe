import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type CageSupport,
  cagedCommand,
  describeCage,
  probeCage,
} from '../../packages/trainer/src/cage.ts';
import { limitsOf } from '../../packages/trainer/src/limits.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';

const entry = new URL('./escape-child.mjs', import.meta.url);
const limits = limitsOf({ memory: 512 * 2 ** 20 });
const server = createServer((socket) => socket.destroy());
let support: CageSupport;
let port: number;

beforeAll(async () => {
  support = await probeCage(entry);
  console.log(describeCage(support, limits).join('\n'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  port = address.port;
});
afterAll(() => {
  server.close();
  // What a child leaves where nothing holds it.
  rmSync(new URL('./escaped', import.meta.url), { force: true });
});

/** What a child reaches that is given no file and a secret's name. */
async function attempt(given: CageSupport, network = false, readable = false) {
  const folder = await temporaryDirectory();
  const secret = join(folder, 'secret');
  await writeFile(secret, 'secret');
  const contents = { entry, network, readable: readable ? [folder] : [] };
  const { command, args, env, group } = cagedCommand(given, limits, contents);
  const child = spawn(command, args, { env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  child.send([secret, port]);
  const [[reached], [code]] = await Promise.all([once(child, 'message'), once(child, 'exit')]);
  await group?.remove();
  expect(code).toBe(0);
  return reached;
}

const OPEN: CageSupport = { isolation: 'open', memoryLimit: false, privileges: false, missing: [] };

describe('a child', () => {
  test('reaches the network and files where nothing holds it: the test can tell', async () => {
    expect(await attempt(OPEN)).toMatchObject({ network: 'done', read: 'done', memory: 'done' });
  });

  test('opens no connection', async () => {
    if (support.isolation === 'open') return console.log('skipped: no user namespaces');
    expect((await attempt(support)).network).toMatch(/ENETUNREACH|ECONNREFUSED/);
  });

  test('reads its code and its data and no other file, and writes nowhere', async () => {
    if (support.isolation !== 'sealed') return console.log('skipped: no mount namespaces');
    const reached = await attempt(support);
    expect(reached).toMatchObject({ read: 'ENOENT', code: 'done', write: 'EROFS' });
    expect(await attempt(support, false, true)).toMatchObject({ read: 'done' });
  });

  test('is refused memory above its limit by the kernel', async () => {
    if (!support.memoryLimit) return console.log('skipped: no prlimit');
    const reached = await attempt(support);
    expect(reached.memory).not.toBe('done');
  });

  test('keeps the network when its data come from there', async () => {
    expect((await attempt(support, true)).network).toBe('done');
  });

  test('has a short environment', async () => {
    const { environment } = await attempt(support);
    const allowed = ['PATH', 'LD_LIBRARY_PATH', 'HOME', 'TMPDIR', 'NODE_EXTRA_CA_CERTS', 'PWD'];
    expect(allowed).toEqual(expect.arrayContaining(environment.filter(notNode)));
  });
});

const notNode = (name: string): boolean => !/^(NODE_CHANNEL_|OLDPWD$|_$|SHLVL$)/.test(name);
