import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../helpers/temporary.ts';

const ORT = new URL('../../packages/trainer/src/ort.ts', import.meta.url).href;

/** What is left in the home directory of a process that loads ONNX Runtime and makes it work. */
async function leftBehind(load: string): Promise<readonly string[]> {
  const home = await temporaryDirectory();
  // A model that cannot be read is enough: what collects usage data starts before it.
  const script = `const ort = await ${load};
    await ort.InferenceSession.create(new Uint8Array([1, 2, 3])).catch(() => {});`;
  const env = { PATH: process.env['PATH'], HOME: home };
  const args = ['--import', 'tsx', '--input-type=module', '-e', script];
  await promisify(execFile)(process.execPath, args, { env });
  return (await readdir(home, { recursive: true })).filter((name) => /onnxruntime\./.test(name));
}

test('ONNX Runtime collects no usage data', async () => {
  if (process.platform !== 'linux') return console.log('skipped: it shows in files on Linux only');
  const untold = await leftBehind("(await import('onnxruntime-node')).default");
  expect(untold.length, 'files that show that the test can tell').toBeGreaterThan(0);
  const loaded = `(await (await import('${ORT}')).loadOrt())`;
  expect(await leftBehind(loaded)).toEqual([]);
});
