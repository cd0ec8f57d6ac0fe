import { type DeviceGraph, nextOf } from '@starling/autodiff';
import { errorMessage, ProtocolError } from '@starling/core';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { createSession } from './ort.ts';

const held = new WeakMap<DeviceTensor, Tensor>();

/**
 * A tensor in the GPU's memory. Only sessions on the GPU take it: one on the CPU would read
 * garbage from it, and to ask ONNX Runtime for its data aborts the process. It must be disposed.
 */
export class DeviceTensor {
  readonly #brand = 'gpu';

  constructor(tensor: Tensor) {
    held.set(this, tensor);
  }

  dispose(): void {
    held.get(this)?.dispose();
    held.delete(this);
  }

  toString(): string {
    return `[${this.#brand} tensor]`;
  }
}

function tensorOf(name: string, value: DeviceTensor | undefined): Tensor {
  const tensor = value && held.get(value);
  if (tensor === undefined) throw new ProtocolError('device-failed', `"${name}" is not there`);
  return tensor;
}

export type DeviceValues = ReadonlyMap<string, DeviceTensor>;
export type HostValues = Readonly<Record<string, Tensor>>;

export interface DeviceSessionOptions {
  readonly threads: number;
  /** Beginning of the name of a profile; see `SessionOptions`. */
  readonly profile?: string;
  /** `cpu` shows what the graphs compute where there is no GPU; WebGPU unless told. */
  readonly on?: 'webgpu' | 'cpu';
}

/** A graph on WebGPU that reads and replaces tensors in the GPU's memory. */
export class DeviceSession {
  readonly #graph: DeviceGraph;
  readonly #session: InferenceSession;

  private constructor(graph: DeviceGraph, session: InferenceSession) {
    this.#graph = graph;
    this.#session = session;
  }

  /**
   * @param to whether results stay on the GPU or come back
   * @throws ProtocolError `device-failed` also when a node would fall to the CPU
   */
  static async open(
    graph: DeviceGraph,
    to: 'device' | 'host',
    options: DeviceSessionOptions,
  ): Promise<DeviceSession> {
    const { threads, on: device = 'webgpu', ...rest } = options;
    const stays = to === 'device' && device === 'webgpu';
    const outputsStay = stays ? { outputsStay: graph.writes.map(nextOf) } : {};
    const made = createSession(graph.model, threads, { ...rest, device, ...outputsStay });
    return new DeviceSession(graph, await made.catch(failed));
  }

  /** New values of the slots that the graph writes; the old ones are the caller's to dispose. */
  async run(device: DeviceValues, host: HostValues): Promise<ReadonlyMap<string, DeviceTensor>> {
    const results = await this.#results(device, host);
    return new Map(
      this.#graph.writes.map((name) => [name, new DeviceTensor(results[nextOf(name)]!)]),
    );
  }

  /** For a session whose results come back: their float32 values. */
  async read(device: DeviceValues): Promise<ReadonlyMap<string, Float32Array>> {
    const results = await this.#results(device, {});
    return new Map(
      this.#graph.writes.map((name) => [name, results[nextOf(name)]!.data as Float32Array]),
    );
  }

  async #results(device: DeviceValues, host: HostValues) {
    const wanted = new Set(this.#graph.reads.filter((name) => host[name] === undefined));
    const feeds = Object.fromEntries(
      Array.from(wanted, (name) => [name, tensorOf(name, device.get(name))] as const),
    );
    return this.#session.run({ ...feeds, ...host }).catch(failed);
  }

  /** Writes the file of a session with `profile`. */
  endProfiling(): void {
    this.#session.endProfiling();
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

function failed(error: unknown): never {
  throw new ProtocolError('device-failed', `webgpu: ${errorMessage(error)}`);
}
