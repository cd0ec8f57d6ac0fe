import { createHash, type Hash } from 'node:crypto';
import { equalBytes, LIMITS, type Parcel, ProtocolError, u32be, utf8 } from '@starling/core';
import type { Frame } from './framed-stream.ts';

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
/** The memory that a declared size alone may take; more comes only as the body does. */
const FIRST_BUFFER_BYTES = 1024 * 1024;

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
  // Hashed as it goes: one hash over 500 MB would block the event loop for half a second.
  const hash = createHash('sha256');
  const head = new Uint8Array(SIZE_BYTES + header.length);
  head.set(u32be(body.length));
  head.set(header, SIZE_BYTES);
  hash.update(head);
  let pending: Frame[] = [{ kind: KIND.header, payload: head }];
  for (let at = 0; at < body.length; at += BODY_FRAME_BYTES) {
    const payload = body.subarray(at, at + BODY_FRAME_BYTES);
    hash.update(payload);
    await write([...pending, { kind: KIND.body, payload }]);
    pending = [];
  }
  await write([...pending, { kind: KIND.end, payload: digest(hash) }]);
}

export async function writeRefusal(reason: string, write: WriteFrames): Promise<void> {
  const payload = utf8(reason).subarray(0, REASON_BYTES_MAX);
  await write([{ kind: KIND.refusal, payload }]);
}

export interface ReadRules {
  readonly bodyBytesMax: number;
  /** Reads the frames after the first. */
  readonly next: () => Promise<Frame | undefined>;
  /** Told the declared size before a byte of the body is taken; may throw to refuse it. */
  readonly onDeclared?: (bodyBytes: number) => void;
}

/**
 * The message that starts with `first`. Only the end frame with the right hash makes it whole.
 * @throws ProtocolError 'malformed', 'too-large', or 'connection-lost' when it breaks off
 */
export async function readMessage(first: Frame, rules: ReadRules): Promise<Message> {
  if (first.kind === KIND.refusal) {
    if (first.payload.length > REASON_BYTES_MAX) throw malformed('a refusal that is too long');
    return { kind: 'refusal', reason: new TextDecoder().decode(first.payload) };
  }
  if (first.kind !== KIND.header || first.payload.length < SIZE_BYTES) {
    throw malformed(`a message that starts with a frame of kind ${first.kind}`);
  }
  const size = new DataView(first.payload.buffer, first.payload.byteOffset).getUint32(0);
  const header = first.payload.slice(SIZE_BYTES);
  if (header.length > LIMITS.controlBytesMax) throw malformed(`header of ${header.length} bytes`);
  if (size > rules.bodyBytesMax) {
    throw new ProtocolError('too-large', `body of ${size} bytes, at most ${rules.bodyBytesMax}`);
  }
  rules.onDeclared?.(size);
  const hash = createHash('sha256').update(first.payload);
  const body = await readBody(size, hash, rules.next);
  return { kind: 'parcel', parcel: { header, body } };
}

async function readBody(
  size: number,
  hash: Hash,
  next: () => Promise<Frame | undefined>,
): Promise<Uint8Array> {
  let body = new Uint8Array(Math.min(size, FIRST_BUFFER_BYTES));
  let at = 0;
  for (;;) {
    const frame = await next();
    if (frame === undefined) {
      throw new ProtocolError('connection-lost', `broke off after ${at} of ${size} bytes`);
    }
    const { kind, payload } = frame;
    if (kind === KIND.end) {
      if (at !== size) throw malformed(`a body of ${at} bytes that was declared as ${size}`);
      if (!equalBytes(payload, digest(hash))) throw malformed('a body that fails its hash');
      return body;
    }
    if (kind !== KIND.body || payload.length === 0) throw malformed(`kind ${kind} inside a body`);
    if (payload.length > size - at) throw malformed('a body longer than declared');
    hash.update(payload);
    if (at + payload.length > body.length) body = grown(body, at + payload.length, size);
    body.set(payload, at);
    at += payload.length;
  }
}

/** Four times as much: who declares 500 MB and sends 1 MB makes us hold 4 MB. */
function grown(body: Uint8Array, least: number, most: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.min(most, Math.max(least, 4 * body.length)));
  larger.set(body);
  return larger;
}

const digest = (hash: Hash): Uint8Array => new Uint8Array(hash.digest());

const malformed = (what: string): ProtocolError => new ProtocolError('malformed', `got ${what}`);
