import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import { controlSocket, createControlServer } from './index.ts';
import { harmless } from './testing/handlers.ts';

async function answersTo(request: string, way: 'socket' | 'tcp' = 'socket'): Promise<string> {
  const path = controlSocket(await temporaryDirectory());
  const server = await createControlServer(path, harmless(), {
    token: async () => 'secret',
    tcp: { host: '127.0.0.1', port: 0 },
  });
  onTestFinished(() => server.close());
  const tcp = { host: '127.0.0.1', port: Number(new URL(server.url!).port) };
  const socket = connect({ ...(way === 'tcp' ? tcp : { path }), allowHalfOpen: true });
  const answers = text(socket);
  socket.end(request);
  return answers;
}

const long = 'y'.repeat(20_000);

test.each([
  ['no HTTP at all', 'hello\r\n\r\n', 400],
  ['another version', 'GET / HTTP/9.9\r\nhost: a\r\n\r\n', 400],
  ['a body that is shorter than told', 'POST /v1/stop HTTP/1.1\r\nhost: a\r\nx', 400],
  ['headers without end', `GET / HTTP/1.1\r\nhost: a\r\nx: ${long}\r\n\r\n`, 431],
])('%s is refused in the form of all refusals', async (_, request, status) => {
  const answer = await answersTo(request);
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [A-Z]`));
  expect(head).toContain(`content-length: ${body.length}`);
  expect(JSON.parse(body)).toEqual({ error: expect.stringMatching(/./), code: 'request' });
});

test('nothing follows an answer after which the connection ends', async () => {
  const stranger = 'GET / HTTP/1.1\r\nhost: evil.example\r\n\r\n';
  const answers = await answersTo(`${stranger}nonsense\r\n\r\n`, 'tcp');
  expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 421']);
  const [head = '', body = ''] = answers.split('\r\n\r\n');
  expect(head).toContain(`content-length: ${body.length}`);
  expect(JSON.parse(body)).toMatchObject({ code: 'host' });
});
