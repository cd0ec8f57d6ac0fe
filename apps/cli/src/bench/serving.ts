import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { type Log, millis, ProtocolError } from '@starling/core';
import { writeModel } from '@starling/onnx';
import { type HttpListener, listenHttp, NO_OBSERVER, Serving } from '@starling/serving';
import {
  createInference,
  type DeviceChoice,
  type Inference,
  type PlainTask,
  zooModel,
} from '@starling/trainer';
import type { Benchmark } from './registry.ts';
import type { LoadResult, LoadTask } from './serving-load.ts';
import {
  BATCH,
  type CpuTimes,
  type Latency,
  type Measured,
  type Rates,
  reportOf,
  type Way,
} from './serving-report.ts';

interface Size {
  readonly repetitions: number;
  /** Of one measurement of throughput. */
  readonly milliseconds: number;
  /** Of one of latency. */
  readonly lightMs: number;
}
const FULL: Size = { repetitions: 5, milliseconds: 1_000, lightMs: 4_000 };
const QUICK: Size = { repetitions: 1, milliseconds: 150, lightMs: 150 };

/** Requests of one row that are under way at a time: two batches. */
const SINGLES = 2 * BATCH;
const CONNECTIONS = 4;
/** Between two requests of a light load. */
const PAUSE_MS = 3;
const SEED = 1;
const QUIET: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** A process that answers one message with one. */
class Helper {
  readonly #process: ChildProcess;

  constructor(name: string) {
    const entry = new URL(`./${name}.js`, import.meta.url);
    this.#process = fork(entry, { serialization: 'advanced' });
  }

  async ask<T>(task: object): Promise<T> {
    this.#process.send(task);
    const [answer] = await once(this.#process, 'message');
    return answer as T;
  }

  get pid(): number {
    return this.#process.pid!;
  }

  end(): void {
    this.#process.kill();
  }
}

interface Scene {
  readonly inference: Inference;
  readonly serving: Serving;
  readonly listener: HttpListener;
  readonly plain: Helper;
  readonly load: Helper;
}

interface Subject {
  readonly model: string;
  readonly bytes: Uint8Array;
  readonly input: string;
  readonly shape: readonly number[];
}

function subjectOf(model: 'mlp' | 'cnn'): Subject {
  const made = zooModel(model, SEED);
  const [input] = made.graph.inputs;
  const shape = input!.shape.slice(1).map(Number);
  return { model, bytes: writeModel(made), input: input!.name, shape };
}

function requestOf({ input, shape }: Subject, rows: number) {
  const full = [rows, ...shape];
  const length = full.reduce((product, size) => product * size, 1);
  const values = Float32Array.from({ length }, (_, i) => (i % 255) / 255);
  const bytes = new Uint8Array(values.buffer);
  return { inputs: [{ name: input, dtype: 'float32', shape: full, bytes } as const] };
}

/** The bytes of a request by HTTP, its tensor binary both ways. */
function httpOf({ model }: Subject, { inputs: [input] }: ReturnType<typeof requestOf>) {
  const { name, shape, bytes } = input!;
  const json = JSON.stringify({
    parameters: { binary_data_output: true },
    inputs: [{ name, shape, datatype: 'FP32', parameters: { binary_data_size: bytes.length } }],
  });
  const head = [
    `POST /v2/models/${model}/infer HTTP/1.1`,
    'host: 127.0.0.1',
    'content-type: application/octet-stream',
    `inference-header-content-length: ${json.length}`,
    `content-length: ${json.length + bytes.length}`,
  ].join('\r\n');
  return Buffer.concat([Buffer.from(`${head}\r\n\r\n${json}`), bytes]);
}

async function overHttp(
  { load, listener }: Scene,
  task: Omit<LoadTask, 'port'>,
): Promise<Float64Array> {
  const port = Number(new URL(listener.url).port);
  const { times, fault } = await load.ask<LoadResult>({ ...task, port });
  if (fault !== null) throw new ProtocolError('bench', `a request failed: ${fault}`);
  return times;
}

/** Asks the served model from within this process. */
async function within(
  { serving }: Scene,
  subject: Subject,
  how: { readonly rows: number; readonly at: number; readonly ms: number; readonly pause: number },
): Promise<Float64Array> {
  const request = requestOf(subject, how.rows);
  const times: number[] = [];
  const end = performance.now() + how.ms;
  const client = async () => {
    while (performance.now() < end) {
      if (how.pause > 0) await new Promise((resolve) => setTimeout(resolve, how.pause));
      const began = performance.now();
      await serving.infer(subject.model, request, 'bench');
      times.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: how.at }, client));
  return Float64Array.from(times);
}

function latencyOf(times: Float64Array): Latency {
  const sorted = times.toSorted();
  const at = (part: number) => sorted[Math.floor(part * (sorted.length - 1))] ?? 0;
  return { p50Ms: at(0.5), p99Ms: at(0.99), requests: times.length };
}

function waysOf(scene: Scene, subject: Subject, ms: number) {
  const plainTask: PlainTask = {
    ...{ model: subject.bytes, rows: BATCH, threads: 1, milliseconds: ms, pauseMs: 0 },
  };
  const http = (rows: number, connections: number) =>
    overHttp(scene, {
      request: httpOf(subject, requestOf(subject, rows)),
      ...{ connections, milliseconds: ms, pauseMs: 0 },
    });
  return {
    plain: async () => BATCH * (await scene.plain.ask<Float64Array>(plainTask)).length,
    served: async () =>
      BATCH * (await within(scene, subject, { rows: BATCH, at: CONNECTIONS, ms, pause: 0 })).length,
    servedSingles: async () =>
      (await within(scene, subject, { rows: 1, at: SINGLES, ms, pause: 0 })).length,
    http: async () => BATCH * (await http(BATCH, CONNECTIONS)).length,
    httpSingles: async () => (await http(1, SINGLES)).length,
  } satisfies Record<Way, () => Promise<number>>;
}

/** What `/proc` counts in. */
const TICK_US = 10_000;

/** CPU time that a process has used, microseconds; undefined where there is no `/proc`. */
function cpuOf(pid: number): number | undefined {
  try {
    const [, rest] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
    const fields = rest!.split(' ');
    return TICK_US * (Number(fields[11]) + Number(fields[12]));
  } catch {
    return undefined;
  }
}

/**
 * Time on the CPU, which other work on the machine changes little: where cores are free, the
 * model's process is what throughput hangs on.
 */
async function cpuTimesOf(scene: Scene, subject: Subject, size: Size): Promise<CpuTimes | null> {
  const { inference, plain } = scene;
  const ways = waysOf(scene, subject, 2 * size.milliseconds);
  const spent = async (work: () => Promise<number>, read: () => number | undefined) => {
    const before = read();
    const batches = (await work()) / BATCH;
    return ((read() ?? Number.NaN) - (before ?? Number.NaN)) / batches;
  };
  const own = () => {
    const { user, system } = process.cpuUsage();
    return user + system;
  };
  const times = {
    plain: await spent(ways.plain, () => cpuOf(plain.pid)),
    model: await spent(ways.served, () => cpuOf(inference.pids[0] ?? 0)),
    server: await spent(ways.served, own),
    serverByHttp: await spent(ways.http, own),
  };
  return Number.isNaN(times.plain + times.model) ? null : times;
}

/** All ways in turn, then again backwards, so that load from outside hits all alike. */
async function ratesOf(scene: Scene, subject: Subject, size: Size): Promise<Rates> {
  const ways = Object.entries(waysOf(scene, subject, size.milliseconds));
  const rates = new Map(ways.map(([way]) => [way, [] as number[]]));
  for (let repetition = 0; repetition < size.repetitions; repetition++) {
    for (const [way, measure] of repetition % 2 === 0 ? ways : ways.toReversed()) {
      rates.get(way)!.push((1000 * (await measure())) / size.milliseconds);
    }
  }
  return Object.fromEntries(rates) as unknown as Rates;
}

async function lightOf(scene: Scene, subject: Subject, { lightMs: ms }: Size) {
  const plain = await scene.plain.ask<Float64Array>({
    ...{ model: subject.bytes, rows: 1, threads: 1, milliseconds: ms, pauseMs: PAUSE_MS },
  });
  const served = await within(scene, subject, { rows: 1, at: 1, ms, pause: PAUSE_MS });
  const http = await overHttp(scene, {
    request: httpOf(subject, requestOf(subject, 1)),
    ...{ connections: 1, milliseconds: ms, pauseMs: PAUSE_MS },
  });
  return { plain: latencyOf(plain), served: latencyOf(served), http: latencyOf(http) };
}

async function measure(scene: Scene, subject: Subject, size: Size): Promise<Measured> {
  const { serving } = scene;
  const { model, bytes } = subject;
  const source = {
    newest: async () => ({ version: '1', identity: model, bytes: () => bytes }),
    watch: () => () => {},
  };
  const options = { maxBatch: BATCH, maxDelayMs: 0, queue: 1024, device: 'cpu' };
  await serving.add(model, source, { ...options, swarm: false, quota: null }).refresh();
  try {
    // Of processes that run for days the compiler's first seconds say nothing.
    for (const warmUp of Object.values(waysOf(scene, subject, size.milliseconds))) await warmUp();
    const light = await lightOf(scene, subject, size);
    const rates = await ratesOf(scene, subject, size);
    return { model, light, rates, cpu: await cpuTimesOf(scene, subject, size) };
  } finally {
    await serving.remove(model);
  }
}

function servingOn(inference: Inference): Serving {
  return new Serving({
    ...{ log: QUIET, observer: NO_OBSERVER },
    clock: {
      now: () => millis(performance.now()),
      setTimer: (after, fire) => {
        const timer = setTimeout(fire, after);
        return () => clearTimeout(timer);
      },
    },
    open: (model, device) => inference.open(model, device as DeviceChoice),
  });
}

/**
 * Served models beside a bare session of onnxruntime-node in a process of its own, with the same
 * model, threads and input, in turn. Served ones are asked in the server's process, behind which
 * queue, batches and the model's caged process lie, and by HTTP from a third process.
 */
export const serving: Benchmark = {
  async run({ quick }) {
    const size = quick ? QUICK : FULL;
    const [loadBefore] = loadavg();
    const childEntry = new URL('./inference-child.js', import.meta.url);
    const inference = createInference({ childEntry, log: QUIET, limits: { cpuThreads: 1 } });
    const serving = servingOn(inference);
    const listener = await listenHttp(serving, {
      ...{ host: '127.0.0.1', port: 0, hosts: [], tokens: [], version: 'bench' },
    });
    const [plain, load] = [new Helper('serving-plain'), new Helper('serving-load')];
    try {
      const scene = { serving, listener, plain, load, inference };
      const measured: Measured[] = [];
      for (const model of ['mlp', 'cnn'] as const) {
        measured.push(await measure(scene, subjectOf(model), size));
      }
      return reportOf(measured, loadBefore!);
    } finally {
      plain.end();
      load.end();
      await listener.close();
      await serving.close();
      await inference.close();
    }
  },
};
