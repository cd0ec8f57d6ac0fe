import { connect, createServer, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** What a proxy does to what passes it; may be changed while it runs. */
export interface Faults {
  /** Milliseconds that each way takes. */
  delayMs: number;
  /** Bytes a second, each way of each connection. */
  bytesPerSecond: number;
  /** Part of the connections, 0 to 1, that are reset after some bytes. */
  lossRate: number;
  /** After how many bytes at most such a connection is reset. */
  lossBytesMax: number;
  /** Part of the pieces, 0 to 1, in which one bit is wrong. */
  corruptRate: number;
  /** Takes bytes and passes none on: both ends see a connection that is well, and silent. */
  stalled: boolean;
  /** Takes connections and resets them at once. */
  refusing: boolean;
}

export const NO_FAULTS: Faults = {
  delayMs: 0,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  lossRate: 0,
  lossBytesMax: 2 ** 18,
  corruptRate: 0,
  stalled: false,
  refusing: false,
};

export interface FaultyProxy {
  readonly port: number;
  readonly faults: Faults;
  readonly counts: { connections: number; reset: number; corrupted: number; bytes: number };
  /** Resets every connection that there is. */
  resetAll(): void;
  close(): Promise<void>;
}

export interface ProxyOptions {
  readonly target: { readonly host?: string; readonly port: number };
  readonly faults?: Partial<Faults>;
  /** Draws what is lost and corrupted. */
  readonly seed?: number;
  readonly listen?: { readonly host: string; readonly port: number };
}

/** Bytes that wait in one way of a connection before its sender is held back. */
const HELD_MAX = 2 ** 20;

/**
 * A TCP proxy in front of a peer that delays, throttles, stalls, resets and corrupts, from a seed.
 * It does to connections what `tc netem` does to packets, needs no rights, and ends with the test.
 */
export async function faultyProxy(options: ProxyOptions): Promise<FaultyProxy> {
  const proxy = await startProxy(options);
  onTestFinished(() => proxy.close());
  return proxy;
}

/** The same for a process that is no test. */
export async function startProxy({
  target,
  faults: given = {},
  seed = 1,
  listen = { host: '127.0.0.1', port: 0 },
}: ProxyOptions): Promise<FaultyProxy> {
  const faults: Faults = { ...NO_FAULTS, ...given };
  const counts = { connections: 0, reset: 0, corrupted: 0, bytes: 0 };
  const draw = generator(seed);
  const pairs = new Set<readonly [Socket, Socket]>();
  const server: Server = createServer({ noDelay: true }, (near) => {
    counts.connections++;
    near.on('error', () => {});
    if (faults.refusing) {
      near.resetAndDestroy();
      return;
    }
    const far = connect({ host: target.host ?? '127.0.0.1', port: target.port, noDelay: true });
    far.on('error', () => {});
    const pair = [near, far] as const;
    pairs.add(pair);
    const end = (): void => {
      pairs.delete(pair);
      for (const socket of pair) if (!socket.destroyed) socket.resetAndDestroy();
    };
    // Drawn here and not at the first byte, so that the order of bytes does not matter.
    let left = draw() < faults.lossRate ? Math.ceil(draw() * faults.lossBytesMax) : undefined;
    const lose = (bytes: number): boolean => {
      if (left === undefined) return false;
      left -= bytes;
      if (left > 0) return false;
      counts.reset++;
      end();
      return true;
    };
    for (const [from, to] of [pair, [far, near] as const]) {
      passOn(from, to, { faults, counts, draw, lose });
      from.on('close', end);
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const resetAll = (): void => {
    counts.reset += pairs.size;
    for (const pair of [...pairs]) for (const socket of pair) socket.resetAndDestroy();
  };
  return {
    ...{ port: address.port, faults, counts, resetAll },
    close: () => {
      for (const pair of [...pairs]) for (const socket of pair) socket.resetAndDestroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

interface Passing {
  readonly faults: Faults;
  readonly counts: FaultyProxy['counts'];
  readonly draw: () => number;
  readonly lose: (bytes: number) => boolean;
}

/** One way of a connection: bytes come out in order, each piece when its time has come. */
function passOn(from: Socket, to: Socket, { faults, counts, draw, lose }: Passing): void {
  const waiting: { readonly piece: Buffer; readonly dueAt: number }[] = [];
  let held = 0;
  let freeAt = 0;
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    timer = undefined;
    while (waiting.length > 0 && !faults.stalled && waiting[0]!.dueAt <= performance.now()) {
      const { piece } = waiting.shift()!;
      held -= piece.length;
      counts.bytes += piece.length;
      if (lose(piece.length)) return;
      if (!to.destroyed) to.write(piece);
    }
    if (held < HELD_MAX && to.writableLength < HELD_MAX) from.resume();
    if (waiting.length === 0 && to.writableLength < HELD_MAX) return;
    // Also what is stalled, or waits for the other end, is looked at again.
    const wait = faults.stalled ? 20 : (waiting[0]?.dueAt ?? 0) - performance.now();
    timer = setTimeout(flush, Math.max(waiting.length === 0 ? 5 : 0, wait));
  };
  from.on('data', (piece: Buffer) => {
    if (draw() < faults.corruptRate) {
      counts.corrupted++;
      const at = Math.floor(draw() * piece.length);
      piece[at]! ^= 1 << Math.floor(draw() * 8);
    }
    const now = performance.now();
    freeAt = Math.max(now, freeAt) + (1000 * piece.length) / faults.bytesPerSecond;
    waiting.push({ piece, dueAt: freeAt + faults.delayMs });
    held += piece.length;
    if (held >= HELD_MAX) from.pause();
    if (timer === undefined) flush();
  });
  from.on('close', () => clearTimeout(timer));
}

/** Mulberry32: the faults of a run follow from its seed. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
