import { median } from './interleave.ts';
import { type BenchmarkReport, columnsOf } from './registry.ts';

/** Rows of a batch. */
export const BATCH = 32;
const TARGET_RATIO = 0.9;
const TARGET_MS = 2;

/** Rows a second. */
export type Way = 'plain' | 'served' | 'servedSingles' | 'http' | 'httpSingles';
export type Rates = Readonly<Record<Way, readonly number[]>>;

export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly requests: number;
}

/** CPU time of the three processes for each batch of 32 rows; microseconds. */
export interface CpuTimes {
  readonly plain: number;
  /** Of the model's process. */
  readonly model: number;
  /** Of the server's, asked within it. */
  readonly server: number;
  /** The same, asked by HTTP. */
  readonly serverByHttp: number;
}

export interface Measured {
  readonly model: string;
  /** Null where the system does not tell the CPU time of other processes. */
  readonly cpu: CpuTimes | null;
  readonly rates: Rates;
  readonly light: Readonly<Record<'plain' | 'served' | 'http', Latency>>;
}

const WAYS: Readonly<Record<Way, string>> = {
  plain: 'bare session, batches of 32',
  served: 'served, requests of 32 rows',
  servedSingles: 'served, requests of 1 row',
  http: 'by HTTP, requests of 32 rows',
  httpSingles: 'by HTTP, requests of 1 row',
};

function summaryOf({ model, rates, light, cpu }: Measured) {
  const ratio = (way: Way) => median(rates[way].map((rate, i) => rate / rates.plain[i]!));
  const ways = Object.keys(WAYS) as Way[];
  return {
    model,
    rowsPerSecond: Object.fromEntries(ways.map((way) => [way, median(rates[way])])),
    ratioToPlain: Object.fromEntries(ways.map((way) => [way, ratio(way)])),
    lightLoad: light,
    cpuMicrosecondsPerBatch: cpu,
    /** What the model's process could do with a core of its own, of what a bare session does. */
    ratioByCpu: cpu && cpu.plain / cpu.model,
    p99OverheadMs: {
      served: light.served.p99Ms - light.plain.p99Ms,
      http: light.http.p99Ms - light.plain.p99Ms,
    },
  };
}

/** @param loadBefore processes that wanted to run in the minute before, on average */
export function reportOf(measured: readonly Measured[], loadBefore: number): BenchmarkReport {
  const results = measured.map(summaryOf);
  const lines = results.flatMap(({ model, rowsPerSecond, ratioToPlain }) =>
    (Object.keys(WAYS) as Way[]).map((way) => [
      `${model}: ${WAYS[way]}`,
      Math.round(rowsPerSecond[way]!).toString(),
      (100 * ratioToPlain[way]!).toFixed(0),
    ]),
  );
  const notes = results.flatMap(({ model, ratioToPlain, p99OverheadMs, lightLoad, ...more }) => [
    `${model}, light load, p50 and p99: bare ${latencyText(lightLoad.plain)}, ` +
      `served ${latencyText(lightLoad.served)}, HTTP ${latencyText(lightLoad.http)}`,
    ...cpuNote(model, more.cpuMicrosecondsPerBatch),
    ...(['served', 'http'] as const).flatMap((way) => [
      ...(ratioToPlain[way]! < TARGET_RATIO ? [`${model}, ${way}: wanted at least 90 %`] : []),
      ...(p99OverheadMs[way] > TARGET_MS ? [`${model}, ${way}: wanted p99 within 2 ms`] : []),
    ]),
  ]);
  if (loadBefore > 1) {
    const words = `the machine had other work (load ${loadBefore.toFixed(1)})`;
    notes.push(`${words}: rates and latencies are those of a busy one, CPU times hardly`);
  }
  return {
    title: 'Models of the zoo, one thread, float32',
    columns: columnsOf(['HOW', 'ROWS/S', '% OF BARE']),
    ...{ lines, notes },
    result: {
      batch: BATCH,
      loadBefore,
      targetRatio: TARGET_RATIO,
      targetP99OverheadMs: TARGET_MS,
      results,
    },
  };
}

function cpuNote(model: string, cpu: CpuTimes | null): readonly string[] {
  if (cpu === null) return [];
  const ratio = `${((100 * cpu.plain) / cpu.model).toFixed(0)} % of bare`;
  const server = `the server's ${cpu.server.toFixed(0)}, by HTTP ${cpu.serverByHttp.toFixed(0)}`;
  const own = `bare ${cpu.plain.toFixed(0)}, the model's process ${cpu.model.toFixed(0)}`;
  return [`${model}, microseconds of CPU a batch: ${own} (${ratio}), ${server}`];
}

const latencyText = ({ p50Ms, p99Ms }: Latency): string =>
  `${p50Ms.toFixed(2)} and ${p99Ms.toFixed(2)} ms`;
