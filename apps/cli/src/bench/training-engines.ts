import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { errorMessage } from '@starling/core';
import type { Throughput } from '@starling/trainer';

/** MLP 784-200-200-10, and the CNN of the FedAvg paper with 1,663,370 weights. */
export const TRAINED_MODELS = ['mlp', 'cnn'] as const;
type TrainedModel = (typeof TRAINED_MODELS)[number];
/** Their names in our zoo. */
const ZOO_NAMES = { mlp: 'mlp', cnn: 'fedavg-cnn' } as const;

export interface TrainingTask {
  readonly model: TrainedModel;
  readonly batch: number;
  readonly seconds: number;
}

/** Something that trains. */
export interface TrainingEngine {
  readonly name: string;
  /** Images per second; undefined when it cannot train such a model. */
  measure(task: TrainingTask): Promise<number | undefined>;
  close(): Promise<void>;
}

/** Our own graphs, and whatever of the others is on this machine; the rest is told to `note`. */
export async function trainingEngines(
  threads: number,
  note: (text: string) => void,
): Promise<readonly TrainingEngine[]> {
  const engines: TrainingEngine[] = [ownEngine('loop', threads), ownEngine('step', threads)];
  const folder = scriptsFolder();
  if (folder === undefined) {
    note('PyTorch and TensorFlow.js are compared with only in a checkout of the repository.');
    return engines;
  }
  const others = [await pytorch(folder, threads, note)];
  // TensorFlow.js trains on one thread, whatever there is.
  if (threads === 1) {
    for (const backend of ['wasm', 'cpu']) others.push(await tfjs(folder, backend, note));
  }
  return [...engines, ...others.flatMap((engine) => engine ?? [])];
}

/** Where the other engines' scripts lie, from the source or from the bundle. */
function scriptsFolder(): string | undefined {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const found = join(folder, 'bench', 'training');
    if (existsSync(join(found, 'pytorch.py'))) return found;
    const above = dirname(folder);
    if (above === folder) return undefined;
    folder = above;
  }
}

function ownEngine(mode: 'loop' | 'step', threads: number): TrainingEngine {
  const open = new Map<string, Throughput>();
  return {
    name: `starling-${mode}`,
    async measure({ model, batch, seconds }) {
      const { openThroughput, zooModel } = await import('@starling/trainer');
      const key = `${model}/${batch}`;
      const before = open.get(key);
      const options = { model: zooModel(ZOO_NAMES[model], 1), batchSize: batch, threads, mode };
      const training = before ?? (await openThroughput(options));
      open.set(key, training);
      await training.run();
      const start = performance.now();
      let images = 0;
      for (;;) {
        images += await training.run();
        const elapsed = (performance.now() - start) / 1000;
        if (elapsed >= seconds) return images / elapsed;
      }
    },
    async close() {
      for (const training of open.values()) await training.close();
    },
  };
}

async function pytorch(
  folder: string,
  threads: number,
  note: (text: string) => void,
): Promise<TrainingEngine | undefined> {
  // Debian's own Python: the packages of another one are not those of python3-torch.
  const child = spawn('/usr/bin/python3', [join(folder, 'pytorch.py')], {
    env: {
      ...process.env,
      OMP_NUM_THREADS: String(threads),
      OPENBLAS_NUM_THREADS: String(threads),
      OMP_WAIT_POLICY: 'passive',
    },
  });
  return talking(
    'pytorch',
    child,
    note,
    'PyTorch is not here: apt-get install python3-torch libopenblas0.',
  );
}

async function tfjs(
  folder: string,
  backend: string,
  note: (text: string) => void,
): Promise<TrainingEngine | undefined> {
  const missing = 'TensorFlow.js is not here: npm ci with development dependencies.';
  const script = join(folder, 'tfjs.mjs');
  // Beside the packages that it resolves at run time.
  const out = await mkdtemp(join(folder, '..', '..', 'node_modules', '.tfjs-'));
  const bundle = join(out, 'tfjs.mjs');
  const bundled = await bundleScript(script, bundle);
  if (!bundled) {
    note(missing);
    await rm(out, { recursive: true });
    return undefined;
  }
  const child = spawn(process.execPath, [bundle, backend]);
  const talker = await talking(`tfjs-${backend}`, child, note, missing);
  const engine = backend === 'cpu' && talker !== undefined ? sparing(talker, note) : talker;
  return (
    engine && { ...engine, close: () => engine.close().then(() => rm(out, { recursive: true })) }
  );
}

/** Plain JavaScript trains the CNN at one image a second: that is measured once, and no more. */
function sparing(engine: TrainingEngine, note: (text: string) => void): TrainingEngine {
  let known: number | undefined;
  return {
    ...engine,
    async measure(task) {
      if (task.model !== 'cnn') return engine.measure(task);
      note(`${engine.name}: cnn: measured once, at batch 10.`);
      if (task.batch === 10) known ??= await engine.measure({ ...task, seconds: 0 });
      return task.batch === 10 ? known : undefined;
    },
  };
}

/** Its modules import each other in ways that only a bundler resolves. */
async function bundleScript(script: string, outfile: string): Promise<boolean> {
  const esbuild = join(dirname(script), '..', '..', 'node_modules', 'esbuild', 'bin', 'esbuild');
  if (!existsSync(esbuild)) return false;
  const child = spawn(process.execPath, [
    ...[esbuild, script, '--bundle', '--platform=node', '--format=esm', '--log-level=silent'],
    ...['--main-fields=module,main', `--banner:js=${COMMONJS_NAMES}`, `--outfile=${outfile}`],
  ]);
  const [code] = (await once(child, 'exit')) as [number | null];
  return code === 0;
}

/** What its WASM loader expects of a CommonJS module. */
const COMMONJS_NAMES = [
  "import { createRequire as requireFrom } from 'node:module';",
  "import { fileURLToPath as pathOf } from 'node:url';",
  "import { dirname as folderOf } from 'node:path';",
  'const require = requireFrom(import.meta.url);',
  'const __filename = pathOf(import.meta.url);',
  'const __dirname = folderOf(__filename);',
].join('\n');

interface Answer {
  readonly version?: string;
  readonly imagesPerSecond?: number;
  readonly unable?: string;
}

/** An engine behind a process that says its version, then answers each line of JSON with one. */
async function talking(
  name: string,
  child: ChildProcessWithoutNullStreams,
  note: (text: string) => void,
  missing: string,
): Promise<TrainingEngine | undefined> {
  child.on('error', () => {});
  child.stdin.on('error', () => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<Answer | undefined> => {
    const { value, done } = await lines.next();
    return done ? undefined : (JSON.parse(value) as Answer);
  };
  const hello = await next().catch((error: unknown) => {
    note(`${name}: ${errorMessage(error)}`);
    return undefined;
  });
  if (hello === undefined) {
    note(missing);
    return undefined;
  }
  note(`${name} ${hello.version}`);
  return {
    name,
    async measure(task) {
      child.stdin.write(`${JSON.stringify(task)}\n`);
      const answer = await next();
      if (answer?.unable !== undefined) note(`${name}: ${task.model}: ${answer.unable}`);
      return answer?.imagesPerSecond;
    },
    async close() {
      child.stdin.end();
      if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve));
    },
  };
}
