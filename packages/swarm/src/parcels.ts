import { LIMITS, type Parcel, ProtocolError, u32be, utf8 } from '@starling/core';
import type { Frame, ReceivedFrame } from './framed-stream.ts';

/** One message on a stream: header, body frames and end, or a refusal alone. */
export type Message =
  | { readonly kind: 'parcel'; readonly parcel: Parcel }
  | { readonly kind: 'refusal'; readonly reason: string };

/** `FramedStream.write` with the writer's own idea of how long it may take. */
export type WriteFrames = (frames: readonly Frame[]) => Promise<void>;

const KIND = { header: 1, body: 2, end: 3, refusal: 4 } as const;
const BODY_FRAME_BYTES = 256 * 1024;
const REASON_BYTES_MAX = 1024;
const SIZE_BYTES = 4;
const NOTHING = new Uint8Array(0);
/** The memory that the first bytes of a body may take; more comes only as the body does. */
const FIRST_BUFFER_BYTES = 4 * 1024 * 1024;

/** @throws ProtocolError 'too-large' */
export function checkParcel({ header, body }: Parcel, bodyBytesMax: number): void {
  if (header.length > LIMITS.controlBytesMax || body.length > bodyBytesMax) {
    const sizes = `header of ${header.length} bytes, body of ${body.length}`;
    const limits = `at most ${LIMITS.controlBytesMax} and ${bodyBytesMax}`;
    throw new ProtocolError('too-large', `${sizes}; ${limits}`);
  }
}

/** Writes one parcel, frame by frame, as fast as the other side reads. */
export async function writeParcel({ header, body }: Parcel, write: WriteFrames): Promise<void> {
  const head = new Uint8Array(SIZE_BYTES + header.length);
  head.set(u32be(body.length));
  head.set(header, SIZE_BYTES);
  let pending: Frame[] = [{ kind: KIND.header, payload: head }];
  for (let at = 0; at < body.length; at += BODY_FRAME_BYTES) {
    const payload = body.subarray(at, at + BODY_FRAME_BYTES);
    await write([...pending, { kind: KIND.body, payload }]);
    pending = [];
  }
  await write([...pending, { kind: KIND.end, payload: NOTHING }]);
}

export async function writeRefusal(reason: string, write: WriteFrames): Promise<void> {
  const payload = utf8(reason).subarray(0, REASON_BYTES_MAX);
  await write([{ kind: KIND.refusal, payload }]);
}

export interface ReadRules {
  readonly bodyBytesMax: number;
  /** Reads the frames after the first. */
  readonly next: () => Promise<ReceivedFrame | undefined>;
  /** Told the declared size before a byte of the body is taken; may throw to refuse it. */
  readonly onDeclared?: (bodyBytes: number) => void;
}

/**
 * The message that starts with `first`. Only the end frame makes it whole. That no byte of it was
 * changed is the cipher's business: every connection has Noise from end to end, through relays too,
 * and what is content-addressed is hashed by whoever asked for it.
 * @throws ProtocolError 'malformed', 'too-large', or 'connection-lost' when it breaks off
 */
export async function readMessage(first: ReceivedFrame, rules: ReadRules): Promise<Message> {
  if (first.kind === KIND.refusal) {
    if (first.length > REASON_BYTES_MAX) throw malformed('a refusal that is too long');
    return { kind: 'refusal', reason: new TextDecoder().decode(first.payload()) };
  }
  if (first.kind !== KIND.header || first.length < SIZE_BYTES) {
    throw malformed(`a message that starts with a frame of kind ${first.kind}`);
  }
  const headerBytes = first.length - SIZE_BYTES;
  if (headerBytes > LIMITS.controlBytesMax) throw malformed(`header of ${headerBytes} bytes`);
  const head = first.payload();
  const size = new DataView(head.buffer).getUint32(0);
  const header = head.slice(SIZE_BYTES);
  if (size > rules.bodyBytesMax) {
    throw new ProtocolError('too-large', `body of ${size} bytes, at most ${rules.bodyBytesMax}`);
  }
  rules.onDeclared?.(size);
  const body = await readBody(size, rules.next);
  return { kind: 'parcel', parcel: { header, body } };
}

async function readBody(
  size: number,
  next: () => Promise<ReceivedFrame | undefined>,
): Promise<Uint8Array> {
  let body = blank(0);
  let at = 0;
  for (;;) {
    const frame = await next();
    if (frame === undefined) {
      throw new ProtocolError('connection-lost', `broke off after ${at} of ${size} bytes`);
    }
    const { kind, length } = frame;
    if (kind === KIND.end) {
      if (at !== size) throw malformed(`a body of ${at} bytes that was declared as ${size}`);
      if (length > 0) throw malformed('an end with something in it');
      return body;
    }
    if (kind !== KIND.body || length === 0) throw malformed(`kind ${kind} inside a body`);
    if (length > size - at) throw malformed('a body longer than declared');
    if (at + length > body.length) body = grown(body, at + length, size);
    frame.copyTo(body, at);
    at += length;
  }
}

/** Four times as much: who declares 500 MB and sends 5 MB makes us hold 16 MB. */
function grown(body: Uint8Array, least: number, most: number): Uint8Array<ArrayBuffer> {
  const larger = blank(Math.min(most, Math.max(least, 4 * body.length, FIRST_BUFFER_BYTES)));
  larger.set(body);
  return larger;
}

/** Not zeroed, and so not read before it is written: only a body that is whole is handed on. */
const blank = (length: number): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);

const malformed = (what: string): ProtocolError => new ProtocolError('malformed', `got ${what}`);
