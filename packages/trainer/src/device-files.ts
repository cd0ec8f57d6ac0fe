import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { delimiter, dirname, isAbsolute, join, resolve } from 'node:path';
import type { Device } from './device.ts';

/** What a caged child must see of the machine to train on a device. */
export interface DeviceAccess {
  /** Files and folders, read-only but for devices; those that are missing are left out. */
  readonly paths: readonly string[];
  /** Names of environment variables. */
  readonly environment: readonly string[];
}

const NONE: DeviceAccess = { paths: [], environment: [] };
/** Where Vulkan's loader looks for drivers beside the user's own folder. */
const DRIVER_FOLDERS = ['/etc', '/usr/local/etc', '/usr/share', '/usr/local/share'];
/** By which drivers find out what a device file stands for. */
const DEVICE_TREES = ['/sys/dev', '/sys/devices', '/sys/bus', '/sys/class/drm'];
const NVIDIA = /^nvidia/;

/**
 * Nothing for the CPU. On other platforms than Linux children are not shut in, and take the whole
 * environment of a device all the same.
 */
export function deviceAccess(device: Device): DeviceAccess {
  if (device === 'webgpu') {
    return {
      paths: [
        ...DEVICE_TREES,
        ...['/dev/dri', '/dev/dxg', '/etc/vulkan', '/etc/drirc', '/etc/glvnd'],
        ...nvidiaFiles(),
        ...vulkanDrivers().flatMap((file) => [file, ...libraryOf(file)]),
      ],
      environment: namesLike(/^(VK_|MESA_|DRI_PRIME$|XDG_RUNTIME_DIR$|NVIDIA_)/),
    };
  }
  if (device === 'cuda') {
    return {
      paths: [...DEVICE_TREES, ...nvidiaFiles(), ...listed('LD_LIBRARY_PATH')],
      environment: namesLike(/^(CUDA_|NVIDIA_)/),
    };
  }
  return NONE;
}

const namesLike = (pattern: RegExp): readonly string[] =>
  Object.keys(process.env).filter((name) => pattern.test(name));

const listed = (name: string): readonly string[] =>
  (process.env[name] ?? '').split(delimiter).filter((path) => path !== '');

const namesIn = (folder: string): readonly string[] => {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
};

const nvidiaFiles = (): readonly string[] => [
  ...namesIn('/dev')
    .filter((name) => NVIDIA.test(name))
    .map((name) => join('/dev', name)),
  '/proc/driver/nvidia',
];

/** Descriptions of Vulkan drivers: those that the environment names, else those installed. */
export function vulkanDrivers(): readonly string[] {
  const named = [...listed('VK_DRIVER_FILES'), ...listed('VK_ICD_FILENAMES')];
  const folders = [join(homedir(), '.local/share'), ...DRIVER_FOLDERS].map((folder) =>
    join(folder, 'vulkan/icd.d'),
  );
  const installed = folders.flatMap((folder) =>
    namesIn(folder)
      .filter((name) => name.endsWith('.json'))
      .map((name) => join(folder, name)),
  );
  return [...new Set(named.length > 0 ? named : installed)].filter((file) => existsSync(file));
}

/** The library of a driver, where it is a path and not a name for the loader. */
function libraryOf(file: string): readonly string[] {
  try {
    const path: unknown = JSON.parse(readFileSync(file, 'utf8'))?.ICD?.library_path;
    if (typeof path !== 'string' || !path.includes('/')) return [];
    return [isAbsolute(path) ? path : resolve(dirname(file), path)];
  } catch {
    // A driver that cannot be read is none; the probe says what is left.
    return [];
  }
}

/** The library that onnxruntime-node's package lacks: the npm registry has no room for it. */
const CUDA_LIBRARY = 'libonnxruntime_providers_cuda.so';

const NO_DRIVER =
  'no Vulkan driver is installed. Install that of the GPU ' +
  '(mesa-vulkan-drivers on Debian for AMD and Intel)';

/**
 * Why a device cannot be there, as far as files tell; undefined when only a try can.
 */
export function missingFor(device: Device): string | undefined {
  if (process.platform !== 'linux') return undefined;
  if (device === 'webgpu' && vulkanDrivers().length === 0) {
    return NO_DRIVER;
  }
  if (device === 'cuda') {
    if (!namesIn('/dev').some((name) => /^nvidia\d+$/.test(name)))
      return 'no NVIDIA GPU: no /dev/nvidia0';
    if (!existsSync(join(binariesFolder(), CUDA_LIBRARY))) {
      return `${CUDA_LIBRARY} is not installed. Run \`node scripts/install-cuda.mjs\``;
    }
  }
  return undefined;
}

/** Where onnxruntime-node keeps the libraries of this platform. */
export function binariesFolder(): string {
  const main = createRequire(import.meta.url).resolve('onnxruntime-node');
  return join(dirname(main), '../bin/napi-v6', process.platform, process.arch);
}
