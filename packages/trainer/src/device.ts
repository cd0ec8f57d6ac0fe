import { PRECISIONS, type Precision } from '@starling/autodiff';

/** Where a job trains, in ONNX Runtime's names of its execution providers. */
export const DEVICES = ['cpu', 'webgpu', 'cuda', 'dml', 'coreml'] as const;
export type Device = (typeof DEVICES)[number];

/** What an owner asks for; `auto` takes the first that trains the job faster than the CPU. */
export const DEVICE_CHOICES = ['auto', ...DEVICES] as const;
export type DeviceChoice = (typeof DEVICE_CHOICES)[number];

/**
 * Of products and convolutions. `auto` takes float16 where it agrees with float32, is faster, and
 * the terms of a product are added up in float32.
 */
export const PRECISION_CHOICES = ['auto', ...PRECISIONS] as const;
export type PrecisionChoice = (typeof PRECISION_CHOICES)[number];

/** Where a job trains, and in what numbers. */
export interface Place {
  readonly device: Device;
  readonly precision: Precision;
}

export const ON_CPU: Place = { device: 'cpu', precision: 'float32' };

/** What an accelerator is, for people. */
export const DEVICE_NAMES: Readonly<Record<Exclude<Device, 'cpu'>, string>> = {
  webgpu: 'WebGPU (Vulkan, Direct3D 12 or Metal)',
  cuda: 'NVIDIA CUDA',
  dml: 'DirectML',
  coreml: 'Apple CoreML',
};

const BY_PLATFORM: Readonly<Record<string, readonly Exclude<Device, 'cpu'>[]>> = {
  linux: ['cuda', 'webgpu'],
  win32: ['webgpu', 'dml'],
  darwin: ['webgpu', 'coreml'],
};

/** The accelerators that onnxruntime-node has on a platform, in the order of trial. */
export const acceleratorsOf = (platform: string): readonly Exclude<Device, 'cpu'>[] =>
  BY_PLATFORM[platform] ?? [];
