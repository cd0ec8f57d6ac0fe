import {
  type BlobHash,
  encodeCanonical,
  fromHex,
  type Parcel,
  type PeerId,
  ProtocolError,
  utf8,
} from '@starling/core';
import { hashHex, merkleLeaf, merkleRoot } from '@starling/crypto';
import {
  BLOBS_PROTOCOL,
  type BlobRequest,
  type BlobResponse,
  blobRequest,
  blobResponse,
  PIECE_BYTES,
} from '@starling/protocol-blobs';
import { MemoryBlobStore } from '@starling/store';
import { describe, expect, test } from 'vitest';
import { MemoryNetwork } from '../../../../test/helpers/memory-network.ts';
import { VirtualTime } from '../../../sim/src/virtual-time.ts';
import { createBlobExchange } from './exchange.ts';

const EMPTY = new Uint8Array(0);
const OPTIONS = { timeoutMs: 10_000 };
const id = (name: string) => name as PeerId;

/** A blob of `pieces` pieces, the last one short. */
function blobOf(pieces: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array((pieces - 1) * PIECE_BYTES + 777);
  for (let i = 0; i < bytes.length; i += 97) bytes[i] = (i * 31 + seed * 7 + (i >> 16)) & 255;
  return bytes;
}

const piecesOf = (blob: Uint8Array): Uint8Array[] =>
  Array.from({ length: Math.ceil(blob.length / PIECE_BYTES) }, (_, i) =>
    blob.subarray(i * PIECE_BYTES, (i + 1) * PIECE_BYTES),
  );

const said = (response: BlobResponse, body: Uint8Array = EMPTY): Parcel => ({
  header: encodeCanonical(blobResponse, response),
  body,
});

/** The answer of somebody who has the blob. */
function treeOf(blob: Uint8Array, held: Uint8Array = EMPTY): Parcel {
  const pieces = piecesOf(blob);
  const leaves = Buffer.concat(pieces.map(merkleLeaf));
  return said({ kind: 'tree', size: blob.length, root: merkleRoot(pieces), held }, leaves);
}

class Scene {
  readonly network = new MemoryNetwork();
  readonly time = new VirtualTime();
  /** Pieces asked of each peer, and by whom. */
  readonly asked: { readonly of: PeerId; readonly by: PeerId }[] = [];

  /** A peer with the product's own exchange. */
  node(name: string, store = new MemoryBlobStore()) {
    const parts = { transport: this.network.transport(name), store, clock: this.clock };
    return { store, ...createBlobExchange(parts) };
  }

  /** A peer that answers as it likes. */
  odd(name: string, answer: (request: BlobRequest) => Parcel | Promise<Parcel>): void {
    this.network.transport(name).handle(BLOBS_PROTOCOL, async ({ header }) => {
      const index = header[1];
      const hash = header.slice(5, 37);
      return answer(
        index === 0 ? { kind: 'blob', hash } : { kind: 'piece', hash, index: header.at(-1)! },
      );
    });
  }

  readonly clock = this.time.clock(() => true);

  /** Lets time run until the promise has settled. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settle = () => {
      isSettled = true;
    };
    promise.then(settle, settle);
    while (!isSettled) {
      if (!(await this.time.step())) await new Promise((resolve) => setImmediate(resolve));
    }
    return promise;
  }
}

async function sceneWith(blob: Uint8Array, holders: readonly string[]) {
  const scene = new Scene();
  for (const name of holders) await scene.node(name).store.put(blob);
  const me = scene.node('me');
  const hash = hashHex(blob) as BlobHash;
  return { scene, me, hash, from: holders.map(id) };
}

describe('a small blob', () => {
  test('is answered whole, and a larger one with its tree [B-6]', async () => {
    const scene = new Scene();
    const { store } = scene.node('holder');
    const ask = async (bytes: Uint8Array) => {
      const hash = fromHex(await store.put(bytes));
      const header = encodeCanonical(blobRequest, { kind: 'blob', hash });
      const asker = scene.network.transport('asker');
      return asker.request(id('holder'), BLOBS_PROTOCOL, { header, body: EMPTY }, OPTIONS);
    };
    const small = new Uint8Array(PIECE_BYTES).fill(3);
    const whole = await ask(small);
    expect(whole.header).toEqual(said({ kind: 'whole', size: small.length }).header);
    expect(Buffer.compare(whole.body, small)).toBe(0);
    const large = new Uint8Array(PIECE_BYTES + 1).fill(3);
    const answer = await ask(large);
    expect(answer.header).toEqual(treeOf(large).header);
    expect(Buffer.compare(answer.body, treeOf(large).body)).toBe(0);
  });

  test('of a liar is passed over, one of our own is not asked for [B-4]', async () => {
    const blob = utf8('the truth');
    const { scene, me, hash, from } = await sceneWith(blob, ['honest']);
    scene.odd('liar', () => said({ kind: 'whole', size: blob.length }, utf8('the trush')));
    scene.odd('short', () => said({ kind: 'whole', size: 3 }, blob));
    scene.odd('garbler', () => ({ header: utf8('?'), body: blob }));
    const liars = ['liar', 'short', 'garbler'].map(id);
    expect(await me.fetch(hash, [...liars, ...from], OPTIONS)).toEqual(blob);
    expect(await me.store.has(hash)).toBe(false);
    await expect(me.fetch(hash, liars, OPTIONS)).rejects.toThrow('other bytes');
    await expect(me.obtain(hash, liars, OPTIONS)).rejects.toThrow('other bytes');
    await me.obtain(hash, from, OPTIONS);
    scene.network.onRequest = () => expect.unreachable('asked for what it has');
    expect(await me.fetch(hash, from, OPTIONS)).toEqual(blob);
    await me.obtain(hash, from, OPTIONS);
  });

  test('in memory is served; what is no request is refused [B-3]', async () => {
    const chunk = utf8('a chunk in memory');
    const hash = hashHex(chunk) as BlobHash;
    const network = new MemoryNetwork();
    const extra = (asked: BlobHash): Uint8Array | undefined => (asked === hash ? chunk : undefined);
    const parts = { store: new MemoryBlobStore(), clock: new VirtualTime().clock(() => true) };
    createBlobExchange({ transport: network.transport('holder'), ...parts, extra });
    const asker = network.transport('asker');
    const ask = (header: Uint8Array, body: Uint8Array = EMPTY) =>
      asker.request(id('holder'), BLOBS_PROTOCOL, { header, body }, OPTIONS);
    const header = encodeCanonical(blobRequest, { kind: 'blob', hash: fromHex(hash) });
    expect((await ask(header)).body).toEqual(chunk);
    const refused = { code: 'refused' };
    await expect(ask(header, utf8('x'))).rejects.toMatchObject(refused);
    await expect(ask(utf8('junk'))).rejects.toMatchObject(refused);
    const beyond = { kind: 'piece', hash: fromHex(hash), index: 1 } as const;
    await expect(ask(encodeCanonical(blobRequest, beyond))).rejects.toMatchObject(refused);
  });
});

describe('a large blob', () => {
  test.each(['fetch', 'obtain'] as const)('comes from several at once: %s', async (way) => {
    const blob = blobOf(9);
    const { scene, me, hash, from } = await sceneWith(blob, ['a', 'b', 'c']);
    const served = new Map<PeerId, number>();
    scene.network.onRequest = (_from, to) => void served.set(to, (served.get(to) ?? 0) + 1);
    const got =
      way === 'fetch'
        ? await scene.run(me.fetch(hash, from, OPTIONS))
        : await scene.run(me.obtain(hash, from, OPTIONS)).then(() => me.store.get(hash));
    expect(hashHex(got!)).toBe(hash);
    expect(await me.store.has(hash)).toBe(way === 'obtain');
    expect([...served.keys()].sort()).toEqual(from);
    // A question each, and every piece once.
    expect([...served.values()].reduce((sum, each) => sum + each)).toBe(from.length + 9);
  });

  test('goes on from what was kept when everybody had gone', async () => {
    const blob = blobOf(12);
    const { scene, me, hash, from } = await sceneWith(blob, ['a', 'b']);
    let left = 8;
    scene.network.onRequest = () => {
      if (left-- <= 0) throw new ProtocolError('connection-lost', 'gone');
    };
    const first = scene.run(me.obtain(hash, from, OPTIONS));
    await expect(first).rejects.toMatchObject({ code: 'blob-unavailable' });
    expect(await me.store.has(hash)).toBe(false);
    let asked = 0;
    scene.network.onRequest = () => {
      asked += 1;
    };
    await scene.run(scene.node('me', me.store).obtain(hash, from, OPTIONS));
    expect(hashHex((await me.store.get(hash))!)).toBe(hash);
    expect(asked).toBe(from.length + 12 - 6);
  });

  test('is finished though sources die, lie or hang', async () => {
    const blob = blobOf(10);
    const { scene, me, hash, from } = await sceneWith(blob, ['dies', 'good']);
    const lie = new Uint8Array(PIECE_BYTES).fill(9);
    scene.odd('lies', (request) =>
      request.kind === 'blob' ? treeOf(blob) : said({ kind: 'piece' }, lie),
    );
    scene.odd('hangs', (request) =>
      request.kind === 'blob' ? treeOf(blob) : new Promise(() => {}),
    );
    let left = 3;
    scene.network.onRequest = (_from, to) => {
      if (to === 'dies' && left-- <= 0) throw new ProtocolError('connection-lost', 'gone');
    };
    await scene.run(me.obtain(hash, ['hangs', 'lies', ...from].map(id), OPTIONS));
    expect(hashHex((await me.store.get(hash))!)).toBe(hash);
  });

  test('a piece that fails its tree is not kept, and its sender is left [B-9]', async () => {
    const blob = blobOf(3);
    const { scene, me, hash } = await sceneWith(blob, []);
    let asked = 0;
    const wrong = new Uint8Array(PIECE_BYTES).fill(9);
    scene.odd('liar', (request) => {
      if (request.kind === 'blob') return treeOf(blob);
      asked += 1;
      const right = piecesOf(blob)[request.index]!;
      return said({ kind: 'piece' }, request.index === 1 ? wrong : right);
    });
    const only = scene.run(me.obtain(hash, [id('liar')], OPTIONS));
    await expect(only).rejects.toThrow('liar: sent other bytes');
    expect(asked).toBe(3);
    const draft = await me.store.draft(hash, blob.length);
    expect(hashHex(await draft.read(PIECE_BYTES, PIECE_BYTES))).not.toBe(hashHex(wrong));
  });

  test('a false tree costs its believers, what is right in it is kept [B-10] [B-11]', async () => {
    const blob = blobOf(6);
    const forged = blob.slice();
    forged[5 * PIECE_BYTES + 3]! ^= 1;
    const { scene, me, hash, from } = await sceneWith(blob, ['honest']);
    const asked = new Map<string, number>();
    for (const liar of ['one', 'two']) {
      scene.odd(liar, (request) => {
        asked.set(liar, (asked.get(liar) ?? 0) + 1);
        if (request.kind === 'blob') return treeOf(forged);
        return said({ kind: 'piece' }, piecesOf(forged)[request.index]!);
      });
    }
    const alone = scene.run(me.obtain(hash, ['one', 'two'].map(id), OPTIONS));
    await expect(alone).rejects.toThrow('other bytes');
    expect(await me.store.has(hash)).toBe(false);
    expect(await me.store.get(hash)).toBeUndefined();
    let pieces = 0;
    scene.network.onRequest = (_from, to) => {
      if (to === 'honest') pieces += 1;
    };
    await scene.run(me.obtain(hash, [id('one'), id('two'), ...from], OPTIONS));
    expect(hashHex((await me.store.get(hash))!)).toBe(hash);
    // Its tree, and the one piece in which the forged blob differs.
    expect(pieces).toBe(2);
  });

  test('trees that cannot be are refused [B-8]', async () => {
    const blob = blobOf(2);
    const hash = hashHex(blob) as BlobHash;
    const leaves = treeOf(blob).body;
    const root = merkleRoot(piecesOf(blob));
    const size = blob.length;
    const bad: readonly (readonly [string, Parcel])[] = [
      ['one piece', said({ kind: 'tree', size: 900, root, held: EMPTY }, leaves)],
      ['too few leaves', said({ kind: 'tree', size, root, held: EMPTY }, leaves.subarray(32))],
      ['another size', said({ kind: 'tree', size: size * 2, root, held: EMPTY }, leaves)],
      ['root', said({ kind: 'tree', size, root: new Uint8Array(32), held: EMPTY }, leaves)],
      ['bits', said({ kind: 'tree', size, root, held: new Uint8Array(2) }, leaves)],
    ];
    for (const [name, answer] of bad) {
      const { scene, me } = await sceneWith(blob, []);
      scene.odd(name, () => answer);
      const got = scene.run(me.obtain(hash, [id(name)], OPTIONS));
      await expect(got, name).rejects.toMatchObject({ code: 'blob-unavailable' });
    }
  });

  test('a declared size takes no memory, and more than asked for is not taken [B-5]', async () => {
    const blob = blobOf(2);
    const { scene, me, hash, from } = await sceneWith(blob, ['holder']);
    const small = { ...OPTIONS, bodyBytesMax: PIECE_BYTES };
    await expect(me.fetch(hash, from, small)).rejects.toThrow(`has ${blob.length} bytes`);
    const huge = new Uint8Array(512 * 32);
    const pieces = Array.from({ length: 512 }, () => huge);
    scene.odd('boaster', (request) => {
      if (request.kind === 'piece') return said({ kind: 'missing' });
      for (let i = 0; i < pieces.length; i++) huge.set(merkleLeaf(utf8('none')), i * 32);
      const root = merkleRoot(pieces.map(() => utf8('none')));
      return said({ kind: 'tree', size: 512 * PIECE_BYTES, root, held: EMPTY }, huge);
    });
    const before = process.memoryUsage().arrayBuffers;
    const got = scene.run(me.fetch(hash, [id('boaster')], OPTIONS));
    await expect(got).rejects.toThrow('does not hold it');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * PIECE_BYTES);
  });

  test('those who fetch it serve each other what they have checked [B-7]', async () => {
    const blob = blobOf(8);
    const { scene, hash, from } = await sceneWith(blob, ['origin']);
    const [left, right] = [scene.node('left'), scene.node('right')];
    let gifts = 0;
    scene.network.onRequest = async (_from, to) => {
      if (to !== 'origin') gifts += 1;
      // A slow origin, so that there is something to give meanwhile.
      else await new Promise<void>((resolve) => scene.time.after(2_000, resolve));
    };
    const both = Promise.all([
      left.obtain(hash, [...from, id('right')], OPTIONS),
      right.obtain(hash, [...from, id('left')], OPTIONS),
    ]);
    const asker = scene.network.transport('asker');
    const ask = async (index: number) => {
      const header = encodeCanonical(blobRequest, { kind: 'piece', hash: fromHex(hash), index });
      return asker.request(id('left'), BLOBS_PROTOCOL, { header, body: EMPTY }, OPTIONS);
    };
    for (let index = 0; index < 8; index++) {
      expect(await ask(index)).toEqual(said({ kind: 'missing' }));
    }
    await scene.run(both);
    for (const { store } of [left, right]) expect(hashHex((await store.get(hash))!)).toBe(hash);
    expect(gifts).toBeGreaterThan(8);
  });

  test('two who want the same blob of one node share one download', async () => {
    const blob = blobOf(5);
    const { scene, me, hash, from } = await sceneWith(blob, ['holder']);
    let asked = 0;
    scene.network.onRequest = () => {
      asked += 1;
    };
    const both = [me.obtain(hash, from, OPTIONS), me.obtain(hash, from, OPTIONS)];
    await scene.run(Promise.all(both));
    expect(asked).toBe(6);
  });
});
