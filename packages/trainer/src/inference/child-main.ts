/**
 * Entry of an inference child: the process in which ONNX Runtime runs one served model. It answers
 * one request after another and ends with its parent. It reads and writes blocking: an event loop
 * between the runs would cost more than a small model's run.
 */
import { writevSync } from 'node:fs';
import { errorMessage, ProtocolError, unreachable } from '@starling/core';
import {
  ANSWER_BYTES_MAX,
  CHANNEL,
  type Frame,
  frameStart,
  type InferenceAnswer,
  type InferenceRequest,
  padded,
} from './frames.ts';
import { type LocalModel, openLocalModel, tryModel } from './local-model.ts';
import { Receiver } from './receiver.ts';

const PADDING = Buffer.alloc(8);
const receiver = new Receiver<InferenceRequest>(CHANNEL);
let model: LocalModel | undefined;

function send(header: InferenceAnswer, tensors: readonly Uint8Array[] = []): void {
  const pieces = tensors.flatMap((bytes) => {
    const rest = padded(bytes.length) - bytes.length;
    return rest === 0 ? [bytes] : [bytes, PADDING.subarray(0, rest)];
  });
  const bodyBytes = pieces.reduce((sum, { length }) => sum + length, 0);
  if (bodyBytes > ANSWER_BYTES_MAX) {
    const words = `${bodyBytes} bytes of outputs, at most ${ANSWER_BYTES_MAX}`;
    throw new ProtocolError('model-failed', words);
  }
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

async function answer({ header, body }: Frame<InferenceRequest>): Promise<void> {
  switch (header.kind) {
    case 'load':
      model = await openLocalModel(body, header);
      return send({ kind: 'loaded', model: model.loaded });
    case 'try':
      return send({ kind: 'tried', trial: await tryModel(body, header) });
    case 'run': {
      if (model === undefined) throw new ProtocolError('model-failed', 'no model is loaded');
      const outputs = await model.run(header.inputs, body);
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
for (let request = receiver.next(); request !== undefined; request = receiver.next()) {
  try {
    await answer(request);
  } catch (error) {
    const code = error instanceof ProtocolError ? error.code : 'model-failed';
    send({ kind: 'failed', code, message: errorMessage(error) });
  }
}
process.exit(0);
