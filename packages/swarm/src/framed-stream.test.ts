import type { Connection, Stream } from '@libp2p/interface';
import { LIMITS, ProtocolError } from '@starling/core';
import { Uint8ArrayList } from 'uint8arraylist';
import { expect, test } from 'vitest';
import { type TestNode, testNode } from '../../../test/helpers/swarms.ts';
import { until } from '../../../test/helpers/until.ts';
import { type Frame, FramedStream, ReceivedFrame } from './framed-stream.ts';
import { readMessage, writeParcel } from './parcels.ts';

const PROTOCOL = '/test/frames/1';
/** Read and write high-water marks, one yamux window in flight at each end, and one frame. */
const BUFFER_BYTES_MAX = 10 * 1024 * 1024;

interface Ends {
  readonly near: FramedStream;
  readonly far: FramedStream;
  readonly raw: { readonly near: Stream; readonly far: Stream };
  readonly nodes: readonly [TestNode, TestNode];
}

/** Both ends of one stream between two nodes. */
async function openEnds(): Promise<Ends> {
  const [a, b] = [await testNode(), await testNode()];
  let far: { raw: Stream; framed: FramedStream } | undefined;
  await b.node.handle(PROTOCOL, (stream: Stream, _connection: Connection) => {
    far = { raw: stream, framed: new FramedStream(stream) };
  });
  await a.swarm.dial(b.swarm.addresses()[0]!);
  const raw = await a.node.dialProtocol(b.node.peerId, PROTOCOL);
  const near = new FramedStream(raw);
  await near.write([{ kind: 0, payload: new Uint8Array(0) }]);
  const other = await until(() => far);
  await other.framed.read();
  return { near, far: other.framed, raw: { near: raw, far: other.raw }, nodes: [a, b] };
}

const frame = (length: number, kind = 2): Frame => ({ kind, payload: new Uint8Array(length) });

test('frames of every size come in order, both ways at once', async () => {
  const { near, far } = await openEnds();
  const sizes = [0, 1, 5, 65_535, 256 * 1024, 256 * 1024 + 1, LIMITS.frameBytesMax, 3];
  const send = async (stream: FramedStream): Promise<void> => {
    for (const [i, size] of sizes.entries()) await stream.write([frame(size, i)]);
    await stream.close();
  };
  const receive = async (stream: FramedStream): Promise<number[]> => {
    const got: number[] = [];
    for (let next = await stream.read(); next !== undefined; next = await stream.read()) {
      expect(next.kind).toBe(got.length);
      got.push(next.length);
    }
    return got;
  };
  const [got, back] = await Promise.all([receive(far), receive(near), send(near), send(far)]);
  expect(got).toEqual(sizes);
  expect(back).toEqual(sizes);
});

test('a reader that turns slow holds the writer back: both buffers stay bounded', async () => {
  const { near, far } = await openEnds();
  // Read fast at first, so that yamux opens its window wide: only then is a pause put to the test.
  const [fast, frames] = [400, 600];
  let unsent = 0;
  let unread = 0;
  let written = 0;
  const writing = (async () => {
    for (; written < frames; written++) {
      await near.write([frame(256 * 1024)]);
      unsent = Math.max(unsent, near.unsentBytes);
    }
  })();
  for (let read = 0; read < frames; read++) {
    // The slowest reader there is: it waits until not one byte more comes.
    const slow = read >= fast && read % 10 === 0;
    if (slow) unread = Math.max(unread, await stalled(far, () => written === frames));
    expect(await far.read()).toBeDefined();
  }
  await writing;
  expect(unread).toBeGreaterThan(1024 * 1024);
  expect(unread).toBeLessThan(BUFFER_BYTES_MAX);
  expect(unsent).toBeLessThan(BUFFER_BYTES_MAX);
}, 30_000);

test('a writer whose peer never reads waits, and gives up by its signal', async () => {
  const { near } = await openEnds();
  const controller = new AbortController();
  let written = 0;
  const writing = (async () => {
    for (;;) {
      await near.write([frame(LIMITS.frameBytesMax)], controller.signal);
      written++;
    }
  })();
  writing.catch(() => {});
  let before = -1;
  await until(async () => {
    const same = written === before;
    before = written;
    await new Promise((resolve) => setTimeout(resolve, 200));
    return same;
  });
  expect(written * LIMITS.frameBytesMax).toBeLessThan(2 * BUFFER_BYTES_MAX);
  controller.abort(new Error('enough'));
  await expect(writing).rejects.toThrow('enough');
});

test('a stream that ends inside a frame is lost, between frames it ends', async () => {
  const inside = await openEnds();
  inside.raw.near.send(new Uint8Array([0, 0, 1, 0, 2, 9, 9]));
  await inside.near.close();
  await expect(inside.far.read()).rejects.toMatchObject({ code: 'connection-lost' });

  const between = await openEnds();
  await between.near.close();
  expect(await between.far.read()).toBeUndefined();
});

test('a frame beyond the limit is refused before its bytes are taken', async () => {
  const { raw, far } = await openEnds();
  raw.near.send(new Uint8Array([0xff, 0xff, 0xff, 0xff, 2]));
  await expect(far.read()).rejects.toMatchObject({ code: 'malformed' });
});

test('a message that stops between two frames is an error, not a clean end', async () => {
  // A killed peer looks exactly like this: close without an error (research: 7 Faults).
  const { near, far } = await openEnds();
  const sent: Frame[] = [];
  const body = new Uint8Array(600_000).fill(7);
  await writeParcel({ header: new Uint8Array(3), body }, async (frames) => {
    sent.push(...frames);
  });
  const read = async (): Promise<unknown> => {
    const first = (await far.read())!;
    return readMessage(first, { bodyBytesMax: LIMITS.bodyBytesMax, next: () => far.read() });
  };
  await near.write(sent.slice(0, -1));
  await near.close();
  await expect(read()).rejects.toMatchObject({ code: 'connection-lost' });
});

test('a message with a missing or surplus byte never passes', async () => {
  const body = new Uint8Array(600_000).map((_, i) => i);
  const sent: Frame[] = [];
  await writeParcel({ header: new Uint8Array(3), body }, async (frames) => {
    sent.push(...frames);
  });
  const read = (frames: readonly Frame[], bodyBytesMax = LIMITS.bodyBytesMax): Promise<unknown> => {
    const [first, ...rest] = frames.map(received);
    return readMessage(first!, { bodyBytesMax, next: async () => rest.shift() });
  };
  const edited = (at: number, payload: Uint8Array): Frame[] =>
    sent.map((entry, i) => (i === at ? { ...entry, payload } : entry));
  const short = sent[2]!.payload.slice(1);

  expect(await read(sent)).toMatchObject({ kind: 'parcel' });
  await expect(read(edited(2, short))).rejects.toThrow('declared as 600000');
  await expect(read(edited(sent.length - 1, short))).rejects.toThrow('an end with something in it');
  await expect(read(edited(3, new Uint8Array(200_000)))).rejects.toThrow('longer than declared');
  await expect(read([sent[0]!, sent.at(-1)!])).rejects.toThrow('declared as 600000');
  await expect(read([sent[1]!])).rejects.toThrow('starts with a frame of kind 2');
  await expect(read([sent[0]!, sent[0]!])).rejects.toThrow('kind 1 inside a body');
  await expect(read(sent, 599_999)).rejects.toMatchObject({ code: 'too-large' });
  await expect(read(sent, 599_999)).rejects.toBeInstanceOf(ProtocolError);
});

/** As it comes from a stream: in pieces that end anywhere. */
function received({ kind, payload }: Frame): ReceivedFrame {
  const pieces = new Uint8ArrayList();
  for (let at = 0; at < payload.length; at += 60_000) {
    pieces.append(payload.subarray(at, at + 60_000));
  }
  return new ReceivedFrame(kind, pieces);
}

/** What waits unread once nothing more comes. */
async function stalled(stream: FramedStream, allWritten: () => boolean): Promise<number> {
  let before = -1;
  return until(async () => {
    const now = stream.unreadBytes;
    if ((now === before && now > 0) || allWritten()) return now;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 50));
    return undefined;
  });
}
