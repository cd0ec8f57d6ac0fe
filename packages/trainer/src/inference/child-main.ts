/**
 * Entry of an inference child: the process in which ONNX Runtime runs one served model. It answers
 * one request after another and ends with its parent. It reads and writes blocking: an event loop
 * between the runs would cost more than a small model's run.
 */
import { readSync, writevSync } from 'node:fs';
import { errorMessage, ProtocolError, unreachable } from '@starling/core';
import {
  CHANNEL,
  type Frame,
  frameLengths,
  frameStart,
  type InferenceAnswer,
  type InferenceRequest,
  padded,
} from './frames.ts';
import { type LocalModel, openLocalModel, tryModel } from './local-model.ts';

const PADDING = Buffer.alloc(8);
const BODY_BYTES = 2 ** 16;
let model: LocalModel | undefined;
/** Taken again for every request: by then ONNX Runtime is done with the one before. */
let body = Buffer.alloc(BODY_BYTES);
const head = Buffer.alloc(8);

function fill(buffer: Uint8Array): boolean {
  for (let at = 0; at < buffer.length; ) {
    const count = readSync(CHANNEL, buffer, at, buffer.length - at, null);
    if (count === 0) return false;
    at += count;
  }
  return true;
}

/** The next request; undefined when the parent is gone. */
function receive(): Frame<InferenceRequest> | undefined {
  if (!fill(head)) return undefined;
  const [headerBytes, bodyBytes] = frameLengths(head);
  const header = Buffer.alloc(headerBytes);
  if (bodyBytes > body.length) body = Buffer.alloc(bodyBytes);
  const own = body.subarray(0, bodyBytes);
  if (!fill(header) || !fill(own)) return undefined;
  return { header: JSON.parse(header.toString('utf8')) as InferenceRequest, body: own };
}

function send(header: InferenceAnswer, tensors: readonly Uint8Array[] = []): void {
  const pieces = tensors.flatMap((bytes) => {
    const rest = padded(bytes.length) - bytes.length;
    return rest === 0 ? [bytes] : [bytes, PADDING.subarray(0, rest)];
  });
  const bodyBytes = pieces.reduce((sum, { length }) => sum + length, 0);
  let left: readonly Uint8Array[] = [frameStart(header, bodyBytes), ...pieces];
  while (left.length > 0) left = after(left, writevSync(CHANNEL, left));
}

/** What is left of pieces when so many of their bytes are gone. */
function after(pieces: readonly Uint8Array[], written: number): readonly Uint8Array[] {
  let rest = written;
  return pieces.flatMap((piece) => {
    const gone = Math.min(rest, piece.length);
    rest -= gone;
    return gone === piece.length ? [] : [piece.subarray(gone)];
  });
}

async function answer({ header, body: own }: Frame<InferenceRequest>): Promise<void> {
  switch (header.kind) {
    case 'load':
      model = await openLocalModel(own, header);
      // The file is in the session by now.
      body = Buffer.alloc(BODY_BYTES);
      return send({ kind: 'loaded', model: model.loaded });
    case 'try':
      return send({ kind: 'tried', trial: await tryModel(own, header) });
    case 'run': {
      if (model === undefined) throw new ProtocolError('model-failed', 'no model is loaded');
      const outputs = await model.run(header.inputs, own);
      return send(
        { kind: 'ran', outputs: outputs.map(({ name, dtype, shape }) => ({ name, dtype, shape })) },
        outputs.map(({ bytes }) => bytes),
      );
    }
    default:
      return unreachable(header);
  }
}

// Ctrl-C reaches the whole process group; when to end is the parent's decision.
process.on('SIGINT', () => {});
for (let request = receive(); request !== undefined; request = receive()) {
  try {
    await answer(request);
  } catch (error) {
    const code = error instanceof ProtocolError ? error.code : 'model-failed';
    send({ kind: 'failed', code, message: errorMessage(error) });
  }
}
process.exit(0);
