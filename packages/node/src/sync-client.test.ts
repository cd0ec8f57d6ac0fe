import { encodeCanonical, type PeerId, type Transport } from '@starling/core';
import { SYNC_ANSWER_BYTES_MAX, syncAnswerCodec } from '@starling/protocol-rounds';
import { expect, test } from 'vitest';
import { askSync } from './sync-client.ts';

const EMPTY = new Uint8Array(0);

/** A transport that gives `body` to whatever it is asked, and keeps what it was asked for. */
function answering(body: Uint8Array): Pick<Transport, 'request'> & { limits: unknown[] } {
  const limits: unknown[] = [];
  return {
    limits,
    request: async (_to, _protocol, _parcel, { bodyBytesMax }) => {
      limits.push(bodyBytesMax);
      return { header: EMPTY, body };
    },
  };
}

test('an answer beyond 8 MiB is refused, by the transport and by the decoder [R-24]', async () => {
  const ask = (body: Uint8Array) => {
    const transport = answering(body);
    const answer = askSync({ transport: transport as never }, 'peer' as PeerId, { kind: 'jobs' });
    return { answer, transport };
  };
  const held = encodeCanonical(syncAnswerCodec, { kind: 'held' });
  const good = ask(held);
  expect(await good.answer).toEqual({ kind: 'held' });
  expect(good.transport.limits).toEqual([8 * 1024 * 1024]);
  const long = new Uint8Array(SYNC_ANSWER_BYTES_MAX + 1);
  long.set(held);
  await expect(ask(long).answer).rejects.toThrow('8388609 bytes, at most 8388608');
});
