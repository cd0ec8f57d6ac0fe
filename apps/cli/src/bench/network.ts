import { connect, createServer, type Socket } from 'node:net';
import type { BlobHash, PeerId } from '@starling/core';
import { hashHex } from '@starling/crypto';
import { type BlobExchange, createBlobExchange } from '@starling/node';
import { MemoryBlobStore } from '@starling/store';
import { rawLink, type Swarm } from '@starling/swarm';
import { median, medianRatio, type Rates } from './interleave.ts';
import { type Benchmark, type BenchmarkReport, columnsOf } from './registry.ts';
import { clock, connectedSwarms, random } from './swarms.ts';

const MIB = 2 ** 20;
const PEERS = 8;
const PROTOCOL = '/starling/bench/1';
const OPTIONS = { timeoutMs: 120_000 };
const EMPTY = new Uint8Array(0);
const NOTHING = { header: EMPTY, body: EMPTY };
const TARGET = 0.85;

const TCP = 'plain TCP';
const RAW = 'raw libp2p stream';
const ONE = 'one-to-one stream';
const CHUNKS = '8-to-8 chunk exchange';
const SOURCES = [1, 2, 4] as const;
const blobOf = (sources: number) => `blob from ${sources} ${sources === 1 ? 'source' : 'sources'}`;

interface Sizes {
  /** Bytes of the one-way streams and of the blob. */
  readonly bytes: number;
  /** Bytes of a chunk that each of eight peers sends to each other one. */
  readonly chunk: number;
  readonly repetitions: number;
}

const FULL: Sizes = { bytes: 128 * MIB, chunk: 4 * MIB, repetitions: 5 };
const QUICK: Sizes = { bytes: 4 * MIB, chunk: MIB / 4, repetitions: 1 };

interface Contender {
  readonly name: string;
  readonly bytes: number;
  readonly run: () => Promise<void>;
}

/** A socket on loopback and what has to be undone. */
async function tcpLink() {
  let left = 0;
  let finish: () => void = () => {};
  const server = createServer((socket) => {
    socket.on('data', (data) => {
      left -= data.length;
      if (left <= 0) finish();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const socket: Socket = connect(port, '127.0.0.1');
  return {
    async send(bytes: Uint8Array, times: number) {
      left = bytes.length * times;
      const done = new Promise<void>((resolve) => {
        finish = resolve;
      });
      for (let i = 0; i < times; i++) {
        if (!socket.write(bytes)) await new Promise((resolve) => socket.once('drain', resolve));
      }
      await done;
    },
    stop() {
      socket.destroy();
      server.close();
    },
  };
}

/** Every peer sends every other one a chunk, all at the same time. */
async function exchangeChunks(swarms: readonly Swarm[], chunk: Uint8Array): Promise<void> {
  const parcel = { header: EMPTY, body: chunk };
  const sends = swarms.flatMap((from) =>
    swarms
      .filter((to) => to !== from)
      .map((to) => from.request(to.self, PROTOCOL, parcel, OPTIONS)),
  );
  await Promise.all(sends);
}

/** All peers but the first have the blob. */
async function holdersOf(swarms: readonly Swarm[], blob: Uint8Array) {
  const exchanges: BlobExchange[] = [];
  for (const [i, transport] of swarms.entries()) {
    const store = new MemoryBlobStore();
    const extra = (hash: BlobHash) => (i > 0 && hash === blobHash ? blob : undefined);
    exchanges.push(createBlobExchange({ transport, store, clock, extra }));
  }
  const blobHash = hashHex(blob) as BlobHash;
  const from: readonly PeerId[] = swarms.slice(1).map(({ self }) => self);
  return async (sources: number) => {
    await exchanges[0]!.fetch(blobHash, from.slice(0, sources), OPTIONS);
  };
}

/** As `interleave` does, for work that waits. */
async function measure(contenders: readonly Contender[], repetitions: number) {
  const rates = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  for (let repetition = -1; repetition < repetitions; repetition++) {
    const ordered = repetition % 2 === 0 ? contenders : contenders.toReversed();
    for (const { name, bytes, run } of ordered) {
      const start = performance.now();
      await run();
      const seconds = (performance.now() - start) / 1000;
      if (repetition >= 0) rates.get(name)!.push(bytes / seconds);
    }
  }
  return rates;
}

/**
 * Bytes per second of Starling's streams, chunk exchange and blob download, beside a raw libp2p
 * stream and plain TCP in the same run. Both ends run in this one process, so a figure is that of
 * a core which sends and receives; the ratios are what counts.
 */
export const network: Benchmark = {
  async run({ quick }) {
    const { bytes, chunk, repetitions } = quick ? QUICK : FULL;
    const piece = random.bytes(MIB / 4);
    const body = random.bytes(bytes);
    const [plain, raw, swarms] = await Promise.all([tcpLink(), rawLink(), connectedSwarms(PEERS)]);
    for (const swarm of swarms) swarm.handle(PROTOCOL, async () => NOTHING);
    try {
      const download = await holdersOf(swarms, body);
      const [a, b] = swarms as [Swarm, Swarm];
      const times = bytes / piece.length;
      const one = async () => {
        await a.request(b.self, PROTOCOL, { header: EMPTY, body }, OPTIONS);
      };
      const chunkBody = body.subarray(0, chunk);
      const rates = await measure(
        [
          { name: TCP, bytes, run: () => plain.send(piece, times) },
          { name: RAW, bytes, run: () => raw.send(piece, times) },
          { name: ONE, bytes, run: one },
          {
            name: CHUNKS,
            bytes: chunk * PEERS * (PEERS - 1),
            run: () => exchangeChunks(swarms, chunkBody),
          },
          ...SOURCES.map((sources) => {
            return { name: blobOf(sources), bytes, run: () => download(sources) };
          }),
        ],
        repetitions,
      );
      return reportOf(rates, repetitions, bytes);
    } finally {
      plain.stop();
      await raw.stop();
      for (const swarm of swarms) await swarm.stop();
    }
  },
};

function reportOf(rates: Rates, repetitions: number, bytes: number): BenchmarkReport {
  const rows = [...rates].map(([name, each]) => ({
    name,
    bytesPerSecond: median(each),
    ratioToRawStream: medianRatio(rates, name, RAW),
    ratioToTcp: medianRatio(rates, name, TCP),
  }));
  const exchanged = rows.find(({ name }) => name === CHUNKS)!.ratioToRawStream;
  const short = `chunk exchange is at ${exchanged.toFixed(2)} of the raw stream, wanted ${TARGET}`;
  return {
    title: `${bytes / MIB} MiB on loopback, all in one process, median of ${repetitions}`,
    columns: columnsOf(['CONTENDER', 'MB/S', 'OF RAW', 'OF TCP']),
    lines: rows.map(({ name, bytesPerSecond, ratioToRawStream, ratioToTcp }) => [
      name,
      (bytesPerSecond / 1e6).toFixed(0),
      ratioToRawStream.toFixed(2),
      ratioToTcp.toFixed(2),
    ]),
    notes: exchanged < TARGET ? [short] : [],
    result: { rows, chunkExchangeRatioToRawStream: exchanged, target: TARGET, repetitions, bytes },
  };
}
