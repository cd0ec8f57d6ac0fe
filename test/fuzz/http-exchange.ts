/** Sends bytes to an HTTP server as they are, and reads whatever comes back. */
import { connect, type NetConnectOpts } from 'node:net';
import { promise } from './target.ts';

export interface Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

/** Long enough for a machine that does other things; only a server that hangs needs it. */
const PATIENCE_MS = 20_000;
const STREAM = /\r\ncontent-type: (text\/event-stream|application\/x-ndjson)/i;

/**
 * All answers to `request`, after which this side closes. A stream of events is left once it began.
 * @throws BrokenPromise when the server neither answers nor closes
 */
export function exchange(address: NetConnectOpts, request: Uint8Array): Promise<readonly Answer[]> {
  const parts: Buffer[] = [];
  return new Promise((resolve, reject) => {
    const socket = connect({ ...address, allowHalfOpen: true });
    const finish = () => {
      socket.destroy();
      try {
        resolve(answersIn(Buffer.concat(parts), request));
      } catch (error) {
        reject(error);
      }
    };
    socket.setTimeout(PATIENCE_MS, () => {
      socket.destroy();
      reject(new Error(`no answer and no end within ${PATIENCE_MS} ms`));
    });
    socket.on('data', (part) => {
      parts.push(part);
      if (STREAM.test(part.toString('latin1'))) finish();
    });
    socket.once('end', finish);
    // A server may close before it has read all that it refuses.
    socket.once('error', finish);
    socket.end(request);
  });
}

/** @throws BrokenPromise when the bytes are no answers of HTTP */
function answersIn(bytes: Buffer, request: Uint8Array): readonly Answer[] {
  const answers: Answer[] = [];
  const hasHead = Buffer.from(request).includes('HEAD ');
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf('\r\n\r\n', at);
    promise(end > 0, 'an answer without end of its headers');
    const [start = '', ...lines] = bytes.toString('latin1', at, end).split('\r\n');
    const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(start) ?? [];
    promise(status !== undefined, `answers "${start.slice(0, 80)}"`);
    const headers = new Map(lines.map((line) => headerOf(line)));
    const rest = bytes.subarray(end + 4);
    const { body, length } = bodyOf(Number(status), headers, rest, hasHead);
    at = end + 4 + length;
    if (Number(status) >= 200) answers.push({ status: Number(status), headers, body });
  }
  return answers;
}

function headerOf(line: string): readonly [string, string] {
  const colon = line.indexOf(':');
  promise(colon > 0, `a header "${line.slice(0, 80)}"`);
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}

interface Body {
  readonly body: Buffer;
  /** Of its coding. */
  readonly length: number;
}

function bodyOf(status: number, headers: Answer['headers'], rest: Buffer, hasHead: boolean): Body {
  if (status < 200 || status === 204 || status === 304) return { body: Buffer.alloc(0), length: 0 };
  if (headers.get('transfer-encoding') === 'chunked') return chunkedBody(rest);
  const told = headers.get('content-length');
  const length = told === undefined ? rest.length : Number(told);
  const isOver = rest.length === 0 || rest.toString('latin1', 0, 9) === 'HTTP/1.1 ';
  if (hasHead && isOver) return { body: Buffer.alloc(0), length: 0 };
  promise(rest.length >= length, `${rest.length} bytes of a body of ${length}`);
  return { body: rest.subarray(0, length), length };
}

function chunkedBody(rest: Buffer): Body {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const end = rest.indexOf('\r\n', at);
    const size = end < 0 ? 0 : Number.parseInt(rest.toString('latin1', at, end), 16);
    // The last chunk, or a stream that was left in the middle.
    if (!(size > 0)) return { body: Buffer.concat(parts), length: rest.length };
    parts.push(rest.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
}
