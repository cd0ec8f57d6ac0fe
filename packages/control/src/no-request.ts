import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Failure } from './failure.ts';
import { BROWSER_HEADERS, NOT_KEPT } from './static.ts';

/** What Node calls what it cannot read, and what to answer; 400 for all else. */
const STATUS: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  HPE_HEADER_OVERFLOW: 431,
};
const WORDS: Readonly<Record<number, string>> = {
  400: 'what was sent is no HTTP request',
  408: 'the request did not end in time',
  413: 'the extensions of the chunks are too long',
  431: 'the headers are too long',
};

/** Answers what is no request in the form of all refusals, and ends the connection. */
export function answerNoRequest({ code }: { readonly code: string }, socket: Socket): void {
  if (code === 'ECONNRESET' || socket.destroyed) return;
  const status = STATUS[code] ?? 400;
  const failure: Failure = { error: WORDS[status]!, code: 'request' };
  const body = JSON.stringify(failure);
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
    ...BROWSER_HEADERS,
    ...NOT_KEPT,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const start = `HTTP/1.1 ${status} ${STATUS_CODES[status]}`;
  // Into or behind another answer it would be read as a part of that one.
  const isFirst = socket.bytesWritten === 0;
  if (isFirst && socket.writable) socket.write(`${[start, ...lines].join('\r\n')}\r\n\r\n${body}`);
  socket.destroy();
}
