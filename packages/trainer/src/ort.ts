import { type Model, type Tensor as OnnxTensor, writeModel } from '@starling/onnx';
import type { InferenceSession } from 'onnxruntime-node';
import type { Device } from './device.ts';

/**
 * The native library, loaded when first needed: a daemon that only holds a Trainer never loads it.
 * From 1.30 on it collects usage data for Microsoft unless told not to before it is loaded.
 */
export function loadOrt() {
  process.env['ORT_DISABLE_TELEMETRY'] = '1';
  return import('onnxruntime-node');
}

export interface SessionOptions {
  /** The CPU unless told. What an accelerator lacks falls to the CPU, but not from WebGPU. */
  readonly device?: Device;
  /** WebGPU: outputs stay there. Their data must not be asked for: that aborts the process. */
  readonly outputsStay?: readonly string[];
  /** Beginning of the name of a file that tells which node ran where, and how long. */
  readonly profile?: string;
}

/**
 * A session. What ONNX Runtime sees was written by us node by node, never a foreign file.
 * @param threads for one operator; 1 is fastest for small models
 */
export async function createSession(
  model: Model,
  threads: number,
  options: SessionOptions = {},
): Promise<InferenceSession> {
  const ort = await loadOrt();
  const { device = 'cpu', outputsStay, profile } = options;
  return ort.InferenceSession.create(writeModel(model), {
    executionProviders: [providerOf(device)],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    logSeverityLevel: 3,
    ...(profile !== undefined && { enableProfiling: true, profileFilePrefix: profile }),
    ...(outputsStay && {
      preferredOutputLocation: Object.fromEntries(outputsStay.map((name) => [name, 'gpu-buffer'])),
    }),
    extra: {
      session: {
        // Spinning threads burn the volunteer's CPU between runs.
        intra_op: { allow_spinning: '0' },
        // A node on the CPU would copy its tensors from the GPU and back in every step.
        ...(device === 'webgpu' && { disable_cpu_ep_fallback: '1' }),
      },
    },
  });
}

type Provider = InferenceSession.ExecutionProviderConfig;

/** NCHW: the default layout puts a Transpose before and behind every convolution. */
const providerOf = (device: Device): Provider =>
  device === 'webgpu' ? { name: 'webgpu', preferredLayout: 'NCHW' } : device;
/** Tensors as the runtime takes them. */
export async function tensorFeeds(tensors: Readonly<Record<string, OnnxTensor>>) {
  const { Tensor } = await loadOrt();
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, data, shape }]) => {
      return [name, new Tensor(dtype, data, shape)] as const;
    }),
  );
}

/** The number in a float32 scalar output. */
export function scalarOf(results: InferenceSession.OnnxValueMapType, name: string): number {
  return (results[name]!.data as Float32Array)[0]!;
}
