import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { cagedCommand } from './cage.ts';
import { deviceAccess, missingFor, vulkanDrivers } from './device-files.ts';
import { limitsOf } from './limits.ts';

afterEach(() => vi.unstubAllEnvs());

function driverFile(library: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'starling-icd-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'icd.json');
  writeFileSync(file, JSON.stringify({ ICD: { library_path: library } }));
  vi.stubEnv('VK_DRIVER_FILES', file);
  return file;
}

describe('a caged child', () => {
  test('sees the driver that the environment names, with its library beside it', () => {
    const file = driverFile('./libdriver.so');
    const { paths, environment } = deviceAccess('webgpu');
    expect(paths).toContain(file);
    expect(paths).toContain(file.replace('icd.json', 'libdriver.so'));
    expect(paths).toContain('/dev/dri');
    expect(environment).toContain('VK_DRIVER_FILES');
  });

  test('leaves a library to the loader that is a name', () => {
    const file = driverFile('libdriver.so.1');
    expect(deviceAccess('webgpu').paths.filter((path) => path.includes('libdriver'))).toEqual([]);
    expect(vulkanDrivers()).toEqual([file]);
  });

  test('sees nothing of a device that it does not use', () => {
    const file = driverFile('./libdriver.so');
    expect(deviceAccess('cpu')).toEqual({ paths: [], environment: [] });
    const sealed = {
      isolation: 'sealed',
      memoryLimit: false,
      privileges: true,
      missing: [],
    } as const;
    const contents = { entry: new URL(import.meta.url), readable: [], network: false };
    const commandFor = (device: 'cpu' | 'webgpu') =>
      cagedCommand(sealed, limitsOf(), { ...contents, device });
    expect(commandFor('cpu').args).not.toContain(file);
    expect(commandFor('cpu').env).not.toHaveProperty('VK_DRIVER_FILES');
    expect(commandFor('webgpu').args).toContain(file);
    expect(commandFor('webgpu').args).toContain('/dev/dri');
    expect(commandFor('webgpu').env).toHaveProperty('VK_DRIVER_FILES', file);
  });
});

test('where files are missing a device is not tried, and it is said which', () => {
  if (process.platform !== 'linux') return console.log('skipped: drivers are files on Linux only');
  vi.stubEnv('VK_DRIVER_FILES', '/nowhere.json');
  vi.stubEnv('VK_ICD_FILENAMES', '');
  expect(missingFor('webgpu')).toMatch(/^no Vulkan driver is installed\. Install /);
  expect(missingFor('cpu')).toBeUndefined();
});
