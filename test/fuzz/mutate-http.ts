/** Changes requests by their parts: line, headers, coding and length of the body, its JSON. */
import { type Message, readMessage, writeMessage } from './http-message.ts';
import { type Dice, type Mutator, mixed, mutateBytes } from './mutate.ts';
import { mutateJson } from './mutate-json.ts';

const METHODS = ['GET', 'POST', 'PATCH', 'DELETE', 'PUT', 'HEAD', 'OPTIONS', 'TRACE', 'get', 'M-X'];
const VERSIONS = ['HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/9.9', 'http/1.1', ''];
const PATHS = [
  '/',
  '//',
  '*',
  '/v1/jobs/%00',
  '/v1/jobs/%',
  '/v1/jobs/%ff%fe',
  `/v1/jobs/${'%F0%9F%90%A6'.repeat(128)}`,
  `/v1/jobs/${'a'.repeat(3_000)}/manifest`,
  '/v1/../v1/status',
  '/v1/jobs/..%2f..%2fetc/model',
  'http://other.example/v1/status',
  '/v1/jobs?__proto__=1&x[]=2&x=%',
  '/v1/openapi.json',
];
const HEADERS: readonly (readonly [string, string])[] = [
  ['content-type', 'text/plain'],
  ['content-type', 'application/json; charset=utf-16'],
  ['content-type', 'application/x-www-form-urlencoded'],
  ['content-type', 'multipart/form-data'],
  ['content-type', ''],
  ['content-length', '-1'],
  ['content-length', '9007199254740993'],
  ['content-length', '0'],
  ['transfer-encoding', 'gzip, chunked'],
  ['transfer-encoding', 'identity'],
  ['content-encoding', 'gzip'],
  ['expect', '100-continue'],
  ['expect', 'something'],
  ['connection', 'upgrade'],
  ['upgrade', 'websocket'],
  ['authorization', 'Bearer x'],
  ['authorization', 'Basic \u00ff'],
  ['host', 'evil.example'],
  ['host', '[::1'],
  ['origin', 'null'],
  ['accept', 'text/event-stream'],
  ['accept', '*/*;q=-1'],
  ['accept-version', '9.x'],
  ['last-event-id', '-1'],
  ['last-event-id', '1e400'],
  ['last-event-id', '0-0-0'],
  ['range', 'bytes=0-'],
  ['x', 'y'.repeat(20_000)],
  ['__proto__', '1'],
  ['if-none-match', '*'],
];

function changeStart(dice: Dice, message: Message): void {
  const [method, target = '/', version] = message.start.split(' ');
  switch (dice.below(4)) {
    case 0:
      message.start = `${dice.pick(METHODS)} ${target} ${version}`;
      return;
    case 1:
      message.start = `${method} ${dice.pick(PATHS)} ${version}`;
      return;
    case 2:
      message.start = `${method} ${changedText(dice, target)} ${version}`;
      return;
    default:
      message.start = `${method} ${target} ${dice.pick(VERSIONS)}`;
  }
}

/** As visible characters: spaces and controls are what `mutateBytes` puts in. */
const changedText = (dice: Dice, text: string): string =>
  Buffer.from(mutateBytes(dice, Buffer.from(text), [Buffer.from('%2F/..?&=#')]))
    .toString('latin1')
    .replace(/[^!-~]/g, '%');

function changeHeaders(dice: Dice, message: Message): void {
  const { headers } = message;
  const at = dice.below(headers.length + 1);
  if (dice.chance(0.3) && at < headers.length) headers.splice(at, 1);
  else if (dice.chance(0.2) && at < headers.length) headers.push(headers[at]!);
  else headers.splice(at, 0, dice.pick(HEADERS));
}

function changeBody(dice: Dice, message: Message, others: readonly Uint8Array[]): void {
  const bodies = others.flatMap((each) => readMessage(each)?.body ?? []);
  const mutate = dice.chance(0.8) ? mutateJson : mutateBytes;
  message.body = mutate(dice, message.body, bodies.length > 0 ? bodies : [new Uint8Array(2)]);
}

function changeCoding(dice: Dice, message: Message): void {
  if (dice.chance(0.6)) {
    message.chunks = Array.from({ length: 1 + dice.below(5) }, () => dice.below(2 ** 16));
  }
  if (dice.chance(0.4)) {
    message.lie = dice.pick(['0', '1', 'ffffffff', '7fffffffffffffff', '-5', 'x', '1;a=b', '00']);
  }
}

export const mutateHttp: Mutator = mixed((dice, input, others) => {
  const message = readMessage(input);
  if (message === undefined) return dice.pick(others);
  for (let left = 1 + dice.below(3); left > 0; left--) {
    const draw = dice.below(10);
    if (draw < 5) changeBody(dice, message, others);
    else if (draw < 7) changeStart(dice, message);
    else if (draw < 9) changeHeaders(dice, message);
    else changeCoding(dice, message);
  }
  return writeMessage(message);
});
