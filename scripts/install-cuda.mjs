// Installs what onnxruntime-node needs for NVIDIA GPUs and its npm package lacks, by that package's
// own install script, which `npm ci` skips here: node scripts/install-cuda.mjs [--check]
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const LIBRARIES = ['libonnxruntime_providers_shared.so', 'libonnxruntime_providers_cuda.so'];
/** What ONNX Runtime's CUDA library itself is linked against. */
const CUDA = ['libcudart.so.12', 'libcublas.so.12', 'libcublasLt.so.12', 'libcudnn.so.9'];
const ATTEMPTS = 3;

const main = createRequire(import.meta.url).resolve('onnxruntime-node');
const root = join(dirname(main), '..');
const folder = join(root, 'bin/napi-v6', process.platform, process.arch);
const say = (line) => process.stdout.write(`${line}\n`);

function fail(cause, next) {
  process.stderr.write(`install-cuda: ${cause}. ${next}\n`);
  process.exit(1);
}

/** Names that the dynamic loader finds. */
function loadable() {
  const env = { ...process.env, PATH: `${process.env.PATH}:/sbin:/usr/sbin` };
  const { stdout = '' } = spawnSync('ldconfig', ['-p'], { env, encoding: 'utf8' });
  const named = (process.env.LD_LIBRARY_PATH ?? '').split(':').filter((path) => existsSync(path));
  return new Set([
    ...(stdout ?? '').split('\n').map((line) => line.trim().split(' ')[0]),
    ...named.flatMap((path) => readdirSync(path)),
  ]);
}

/** What training on CUDA needs, each with whether it is there and what to do if not. */
function parts() {
  const found = loadable();
  const gpu = existsSync('/dev') && readdirSync('/dev').some((name) => /^nvidia\d+$/.test(name));
  return [
    ['an NVIDIA GPU (/dev/nvidia0)', gpu, "Install NVIDIA's driver, version 525 or later"],
    ...CUDA.map((name) => [
      name,
      found.has(name),
      name.includes('cudnn')
        ? 'Install cuDNN 9 for CUDA 12'
        : 'Install the libraries of CUDA 12, and name their folder in LD_LIBRARY_PATH',
    ]),
    ...LIBRARIES.map((name) => [
      name,
      existsSync(join(folder, name)),
      'Run node scripts/install-cuda.mjs',
    ]),
  ];
}

function check() {
  const all = parts();
  for (const [name, there, next] of all)
    say(`${there ? 'ok  ' : 'FAIL'}  ${name}${there ? '' : `. ${next}`}`);
  process.exit(all.every(([, there]) => there) ? 0 : 1);
}

function install() {
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'true' };
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    say(`Fetching ONNX Runtime's CUDA libraries from NuGet, attempt ${attempt} of ${ATTEMPTS}`);
    const script = join(root, 'script/install.js');
    const { status } = spawnSync(process.execPath, [script], { env, stdio: 'inherit' });
    if (status === 0 && LIBRARIES.every((name) => existsSync(join(folder, name)))) return;
  }
  const version = createRequire(import.meta.url)('onnxruntime-node/package.json').version;
  fail(
    'the libraries could not be fetched',
    `Behind a proxy set GLOBAL_AGENT_HTTPS_PROXY. Without a network: unpack ` +
      `runtimes/linux-x64/native/ of Microsoft.ML.OnnxRuntime.Gpu.Linux ${version}, a ZIP archive ` +
      `from NuGet, into ${folder}`,
  );
}

if (process.platform !== 'linux' || process.arch !== 'x64') {
  fail(
    `onnxruntime-node has CUDA on linux-x64 alone, this is ${process.platform}-${process.arch}`,
    'Use WebGPU, which needs no installation',
  );
}
if (process.argv.includes('--check')) check();
install();
for (const name of LIBRARIES) {
  say(`${join(folder, name)}: ${Math.ceil(statSync(join(folder, name)).size / 2 ** 20)} MiB`);
}
say('`node scripts/install-cuda.mjs --check` tells what else is needed');
