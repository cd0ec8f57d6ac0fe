import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { controlSocket, createControlClient, jobFileSchema } from '@starling/control';
import { eventSchema, isSigned, webhookKey } from '@starling/events';
import { writeModel } from '@starling/onnx';
import { zooModel } from '@starling/trainer';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { until } from '../helpers/until.ts';

const ENTRY = fileURLToPath(new URL('../../apps/cli/dist/daemon.js', import.meta.url));
const SECRET = 'the secret of a test that is long enough';

/** A receiver that keeps what is signed, and can be told to fail. */
async function receiver() {
  const got: { id: string; type: string; data: Record<string, unknown> }[] = [];
  const state = { fails: false, unsigned: 0 };
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const data of request) body += data;
    const headers = request.headers as Record<string, string>;
    const key = webhookKey(SECRET, 'secret');
    if (!isSigned(key, headers, body, Date.now() / 1000)) state.unsigned++;
    else if (!state.fails) got.push(eventSchema.parse(JSON.parse(body)));
    response.writeHead(state.fails ? 500 : 204).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { got, state, port: (server.address() as AddressInfo).port };
}

async function daemon(state: string, config: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [ENTRY, '--state', state, '--config', config], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: { ...process.env, HOOK_SECRET: SECRET },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [message] = await once(child, 'message');
  expect(message).toMatchObject({ kind: 'up' });
  return child;
}

test('a job is told to a webhook, though the receiver fails and the daemon dies', async () => {
  const { got, state: hook, port } = await receiver();
  const state = await temporaryDirectory();
  const config = join(state, 'starling.yaml');
  const hooks = `[{name: test, url: "http://127.0.0.1:${port}/", secretEnv: HOOK_SECRET}]`;
  await writeFile(
    config,
    `mdns: false\nlisten: [/ip4/127.0.0.1/tcp/0]\nevents: {webhooks: ${hooks}}\n`,
  );
  const client = createControlClient(controlSocket(state));
  const first = await daemon(state, config);
  hook.fails = true;
  const { job } = await client.launch(
    jobFileSchema.parse({
      ...{ name: 'digits', model: 'zoo:mlp', stop: { rounds: 1 } },
      data: { task: 'mnist', input: { shape: [784] }, classes: 10 },
    }),
    writeModel(zooModel('mlp', 1)),
  );
  await until(async () => ((await client.status()).events[0]?.behind ?? 0) > 0);
  first.kill('SIGKILL');
  await once(first, 'exit');
  hook.fails = false;
  await daemon(state, config);
  const told = await until(() => got.find(({ type }) => type === 'starling.job.standing'));
  expect(told.data).toMatchObject({ job, name: 'digits', from: null, to: 'no-data' });
  const ending = new AbortController();
  const stream = client.events(job, ending.signal);
  const refusal = async () => {
    for await (const { kind, text, view } of stream) {
      // Only then does it hear what comes next.
      if (kind === 'now') await client.refuse(job);
      if (kind === 'standing' && view?.standing === 'refused') return text;
    }
    return undefined;
  };
  expect(await refusal()).toBe('refused: refused by you');
  ending.abort();
  await until(() => got.find(({ data }) => data['to'] === 'refused'));
  await until(async () => (await client.status()).events[0]?.behind === 0);
  expect((await client.status()).events).toMatchObject([{ name: 'test', lastError: null }]);
  expect(hook.unsigned).toBe(0);
});
