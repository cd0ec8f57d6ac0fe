import { createHash } from 'node:crypto';
import type { Bandwidth, BlobHash, PeerId, Throttle } from '@starling/core';
import { createBlobExchange, Governor, type ResourceLimits } from '@starling/node';
import { MemoryBlobStore } from '@starling/store';
import { expect, test } from 'vitest';
import { seededRandom } from '../../packages/sim/src/prng.ts';
import { VirtualTime } from '../../packages/sim/src/virtual-time.ts';
import { type FaultyProxy, faultyProxy } from '../helpers/faulty-proxy.ts';
import { realClock } from '../helpers/parts.ts';
import { type TestNode, testNode } from '../helpers/swarms.ts';
import { until } from '../helpers/until.ts';

/**
 * The caps are kept on a virtual clock, the sockets are real: time moves on only when every byte
 * that was let go has been read at the other end, so that what passed in which second is counted
 * and not timed.
 */
const MIB = 2 ** 20;
const FRAME_BYTES = 256 * 1024;
/** What goes at once after a pause, in seconds of the cap. */
const BURST_SECONDS = 0.25;
/** Noise, yamux, and what libp2p says beside, in any one second. */
const BESIDE_BYTES = 128 * 1024;
/**
 * Of the wire above what was handed on: a frame, what a stream that goes on takes at once from one
 * window of yamux, and the next window, which that opens.
 */
const AHEAD_BYTES = 2 * 4 * MIB + FRAME_BYTES;
const PROTOCOL = '/test/blob/1';

/** A throttle that counts by peer what it lets go, and knows who waits. */
class Counting implements Throttle {
  readonly granted = new Map<PeerId, number>();
  readonly waiting = new Map<PeerId, number>();
  readonly #inner: Throttle | undefined;

  constructor(inner?: Throttle) {
    this.#inner = inner;
  }

  get total(): number {
    return [...this.granted.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  of(peer: PeerId): number {
    return this.granted.get(peer) ?? 0;
  }

  take(bytes: number, peer: PeerId, signal?: AbortSignal): Promise<void> | undefined {
    const turn = this.#inner?.take(bytes, peer, signal);
    const count = (): void => void this.granted.set(peer, this.of(peer) + bytes);
    if (turn === undefined) {
      count();
      return undefined;
    }
    const add = (one: number): void =>
      void this.waiting.set(peer, (this.waiting.get(peer) ?? 0) + one);
    add(1);
    return turn.then(count).finally(() => add(-1));
  }

  charge(bytes: number): void {
    this.#inner?.charge(bytes);
  }
}

const uncapped = () => ({ up: new Counting(), down: new Counting() }) satisfies Bandwidth;

interface Sample {
  readonly at: number;
  readonly wire: number;
  readonly handedOn: number;
}

/** A node whose owner caps it, and others that reach it through a proxy each that counts. */
class Scene {
  readonly time = new VirtualTime();
  readonly limits: { upload?: number; download?: number } = {};
  readonly own: { readonly up: Counting; readonly down: Counting };
  readonly samples: Sample[] = [];
  readonly others: {
    readonly node: TestNode;
    readonly proxy: FaultyProxy;
    readonly pace: ReturnType<typeof uncapped>;
  }[] = [];
  capped!: TestNode;
  readonly #governor: Governor;

  private constructor(limits: Partial<ResourceLimits>) {
    Object.assign(this.limits, limits);
    this.#governor = new Governor({
      clock: this.time.clock(() => true),
      files: { text: () => undefined, names: () => [] },
      limits: () => ({ hours: [], pauseOnBattery: false, ...this.limits }),
      minuteOfDay: () => 0,
      memoryUsed: () => 0,
      processes: () => [],
      onChange: () => {},
    });
    const { up, down } = this.#governor.bandwidth;
    this.own = { up: new Counting(up), down: new Counting(down) };
  }

  static async open(limits: Partial<ResourceLimits>, others = 1): Promise<Scene> {
    const scene = new Scene(limits);
    scene.capped = await testNode({}, { bandwidth: scene.own });
    const port = Number(/tcp\/(\d+)/.exec(scene.capped.swarm.addresses()[0]!)![1]);
    for (let i = 0; i < others; i++) {
      const pace = uncapped();
      // Nobody can dial it: all goes through the proxy.
      const node = await testNode({ listen: [] }, { bandwidth: pace });
      const proxy = await faultyProxy({ target: { port } });
      await node.swarm.dial(`/ip4/127.0.0.1/tcp/${proxy.port}`);
      scene.others.push({ node, proxy, pace });
    }
    await until(() => scene.capped.swarm.peers().length === others);
    scene.#governor.start();
    return scene;
  }

  get wire(): number {
    return this.others.reduce((sum, { proxy }) => sum + proxy.counts.bytes, 0);
  }

  /** Lets time pass while all of `transfers` wait for it, until they are done. */
  async play(
    meter: Counting,
    transfers: readonly { readonly peer: PeerId; readonly work: Promise<unknown> }[],
    onSample: (sample: Sample) => void = () => {},
  ): Promise<void> {
    const active = new Map(transfers.map(({ peer }) => [peer, 0]));
    for (const { peer } of transfers) active.set(peer, (active.get(peer) ?? 0) + 1);
    const faults: unknown[] = [];
    for (const { peer, work } of transfers) {
      const over = (): void => {
        const left = (active.get(peer) ?? 0) - 1;
        if (left > 0) active.set(peer, left);
        else active.delete(peer);
      };
      work.then(over, (error: unknown) => {
        faults.push(error);
        over();
      });
    }
    const isStill = (): boolean =>
      this.isRead() && [...active.keys()].every((peer) => (meter.waiting.get(peer) ?? 0) > 0);
    while (active.size > 0) {
      await until(() => active.size === 0 || isStill());
      const sample = { at: this.time.now, wire: this.wire, handedOn: meter.total };
      this.samples.push(sample);
      onSample(sample);
      if (active.size > 0) await this.time.step();
    }
    expect(faults).toEqual([]);
  }

  /** Whether all that the capped node sent has been read. */
  isRead(): boolean {
    const read = this.others.reduce((sum, { pace }) => sum + pace.down.total, 0);
    return read === this.own.up.total;
  }

  /** The most that passed in any second from a moment on. */
  mostInSecond(key: 'wire' | 'handedOn', from = 0): number {
    const settled = this.samples.filter(
      ({ at }, i) => at >= from && this.samples[i + 1]?.at !== at,
    );
    return settled.reduce((most, first) => {
      const last = settled.findLast(({ at }) => at <= first.at + 1000)!;
      return Math.max(most, last[key] - first[key]);
    }, 0);
  }
}

const most = (cap: number): number => (1 + BURST_SECONDS) * cap + FRAME_BYTES;

/** A blob at the capped node, and the other node's download of it. */
async function blobTransfer(scene: Scene, bytes: number) {
  const blob = seededRandom(1, 2, 3).bytes(bytes);
  const hash = createHash('sha256').update(blob).digest('hex') as BlobHash;
  const [there, here] = [new MemoryBlobStore(), new MemoryBlobStore()];
  await there.put(blob);
  createBlobExchange({ transport: scene.capped.swarm, store: there, clock: realClock });
  const { swarm } = scene.others[0]!.node;
  const exchange = createBlobExchange({ transport: swarm, store: here, clock: realClock });
  const peer = swarm.self;
  const work = exchange.obtain(hash, [scene.capped.swarm.self], { timeoutMs: 120_000 });
  return { peer, work, isThere: () => here.has(hash) };
}

test('an upload cap holds on the wire in every second of a blob’s way, and is used', async () => {
  const cap = 2 * MIB;
  const scene = await Scene.open({ upload: cap });
  const before = scene.wire;
  const transfer = await blobTransfer(scene, 12 * MIB);
  await scene.play(scene.own.up, [transfer]);
  expect(await transfer.isThere()).toBe(true);
  expect(scene.wire - before).toBeGreaterThan(12 * MIB);
  expect(scene.mostInSecond('wire')).toBeLessThanOrEqual(most(cap) + BESIDE_BYTES);
  expect(scene.mostInSecond('handedOn')).toBeLessThanOrEqual(most(cap));
  expect(scene.time.now).toBeGreaterThanOrEqual(1000 * (6 - BURST_SECONDS) - 125);
  expect(scene.time.now).toBeLessThanOrEqual(6_500);
});

test('a download cap holds for what is handed on; the wire is two windows ahead', async () => {
  const cap = 4 * MIB;
  const scene = await Scene.open({ download: cap });
  const before = scene.wire;
  const { swarm } = scene.others[0]!.node;
  const body = seededRandom(4, 5, 6).bytes(24 * MIB);
  swarm.handle(PROTOCOL, async () => ({ header: new Uint8Array(0), body }));
  const parcel = { header: new Uint8Array(0), body: new Uint8Array(0) };
  const options = { timeoutMs: 120_000 };
  const work = scene.capped.swarm.request(swarm.self, PROTOCOL, parcel, options);
  await scene.play(scene.own.down, [{ peer: swarm.self, work }], ({ wire, handedOn }) => {
    expect(wire - before).toBeLessThanOrEqual(handedOn + AHEAD_BYTES + BESIDE_BYTES);
  });
  expect(Buffer.compare((await work).body, body)).toBe(0);
  expect(scene.mostInSecond('handedOn')).toBeLessThanOrEqual(most(cap));
  expect(scene.time.now).toBeGreaterThanOrEqual(1000 * (6 - BURST_SECONDS) - 125);
  expect(scene.time.now).toBeLessThanOrEqual(6_500);
});

test('of two peers that fetch at once, the one with four streams gets no more', async () => {
  const scene = await Scene.open({ upload: 2 * MIB }, 2);
  const body = new Uint8Array(3 * MIB);
  scene.capped.swarm.handle(PROTOCOL, async () => ({ header: new Uint8Array(0), body }));
  const parcel = { header: new Uint8Array(0), body: new Uint8Array(0) };
  const fetch = (index: number) => {
    const { swarm } = scene.others[index]!.node;
    const options = { timeoutMs: 120_000 };
    const work = swarm.request(scene.capped.swarm.self, PROTOCOL, parcel, options);
    return { peer: swarm.self, work };
  };
  const transfers = [fetch(0), fetch(0), fetch(0), fetch(0), fetch(1)];
  const [many, one] = scene.others.map(({ node }) => node.swarm.self) as [PeerId, PeerId];
  const { up } = scene.own;
  let start: number | undefined;
  await scene.play(up, transfers, () => {
    const ahead = up.of(many) - up.of(one);
    // Who asked first had the burst; from then on they take turns.
    start ??= ahead;
    if (up.of(one) < body.length) expect(Math.abs(ahead - start)).toBeLessThan(3 * FRAME_BYTES);
  });
  expect(up.of(many)).toBeGreaterThan(4 * body.length);
  expect(up.of(one)).toBeGreaterThan(body.length);
});

test('a cap that is changed on the way holds within a second', async () => {
  const scene = await Scene.open({ upload: 4 * MIB });
  const transfer = await blobTransfer(scene, 24 * MIB);
  const changes = [
    { after: 6 * MIB, upload: 1 * MIB },
    { after: 10 * MIB, upload: 3 * MIB },
  ];
  const made: { readonly at: number; readonly upload: number; readonly handedOn: number }[] = [];
  await scene.play(scene.own.up, [transfer], ({ at, handedOn }) => {
    const next = changes[made.length];
    if (next === undefined || handedOn < next.after) return;
    scene.limits.upload = next.upload;
    made.push({ at, upload: next.upload, handedOn });
  });
  const [lower, higher] = made as [(typeof made)[number], (typeof made)[number]];
  const slow = scene.samples.filter(({ at }) => at >= lower.at + 1000 && at <= higher.at);
  const between = slow.at(-1)!.handedOn - slow[0]!.handedOn;
  const seconds = (slow.at(-1)!.at - slow[0]!.at) / 1000;
  expect(seconds).toBeGreaterThan(1);
  expect(between).toBeLessThanOrEqual(lower.upload * seconds + most(0));
  const end = scene.samples.at(-1)!;
  const wanted = (higher.upload * (end.at - higher.at - 1000)) / 1000;
  expect(end.handedOn - higher.handedOn).toBeGreaterThanOrEqual(wanted - FRAME_BYTES);
  expect(scene.mostInSecond('wire', higher.at + 1000)).toBeLessThanOrEqual(
    most(higher.upload) + BESIDE_BYTES,
  );
});
