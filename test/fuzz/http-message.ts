/** A request of HTTP/1.1 as bytes: taken apart and put together again, also in wrong ways. */

export interface Message {
  /** Method, target and version, as one line. */
  start: string;
  headers: (readonly [name: string, value: string])[];
  body: Uint8Array;
  /** Where it is to be cut for chunked coding; with a length unless told. */
  chunks?: readonly number[];
  /** What the length is said to be, where that is a lie. */
  lie?: string;
}

const LENGTH = /^(content-length|transfer-encoding)$/i;

/** The request that `bytes` are, with the coding of its body forgotten; undefined for none. */
export function readMessage(bytes: Uint8Array): Message | undefined {
  const all = Buffer.from(bytes);
  const end = all.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [start = '', ...lines] = all.subarray(0, end).toString('latin1').split('\r\n');
  const headers = lines.map((line) => {
    const [name = '', ...value] = line.split(':');
    return [name, value.join(':').trim()] as const;
  });
  const coded = headers.some(([name, value]) => LENGTH.test(name) && value === 'chunked');
  const rest = all.subarray(end + 4);
  return {
    start,
    headers: headers.filter(([name]) => !LENGTH.test(name)),
    body: coded ? unchunked(rest) : rest,
  };
}

function unchunked(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const end = bytes.indexOf('\r\n', at);
    const length = end < 0 ? 0 : Number.parseInt(bytes.toString('latin1', at, end), 16);
    if (!(length > 0)) return Buffer.concat(parts);
    parts.push(bytes.subarray(end + 2, end + 2 + length));
    at = end + 2 + length + 2;
  }
}

export function writeMessage({ start, headers, body, chunks, lie }: Message): Uint8Array {
  const coding: readonly (readonly [string, string])[] =
    chunks !== undefined
      ? [['transfer-encoding', 'chunked']]
      : body.length > 0 || lie !== undefined
        ? [['content-length', lie ?? String(body.length)]]
        : [];
  const lines = [...headers, ...coding].map(([name, value]) => `${name}: ${value}`);
  const head = Buffer.from(`${[start, ...lines].join('\r\n')}\r\n\r\n`, 'latin1');
  return new Uint8Array(Buffer.concat([head, ...(chunks ? chunked(body, chunks, lie) : [body])]));
}

function chunked(body: Uint8Array, cuts: readonly number[], lie?: string): Uint8Array[] {
  const ends = [...new Set([...cuts.map((cut) => cut % (body.length + 1)), body.length])];
  let from = 0;
  const parts = ends
    .sort((a, b) => a - b)
    .filter((end) => end > 0)
    .flatMap((end) => {
      const part = body.subarray(from, end);
      from = end;
      const length = lie ?? part.length.toString(16);
      return [Buffer.from(`${length}\r\n`), part, Buffer.from('\r\n')];
    });
  return [...parts, Buffer.from('0\r\n\r\n')];
}
