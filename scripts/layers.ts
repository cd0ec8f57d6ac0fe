/** Proves who may import whom, and that pure packages stay pure. */
import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, posix } from 'node:path';
import ts from 'typescript';
import {
  fault,
  filesBelow,
  foldersIn,
  isMain,
  lineAt,
  readSource,
  report,
  type Source,
} from './source-text.ts';

/** Row of each package; a package imports only from smaller numbers. */
const LAYERS: ReadonlyMap<string, number> = new Map([
  ['core', 1],
  ['crypto', 2],
  ['onnx', 2],
  ['autodiff', 4],
  ['membership', 4],
  ['privacy', 4],
  ['secagg', 4],
  ['federation', 5],
  ['rounds', 6],
  ['storage', 7],
  ['store', 7],
  ['swarm', 7],
  ['models', 8],
  ['node', 8],
  ['offers', 8],
  ['trainer', 8],
  ['sim', 9],
  ['control', 9],
  ['lab', 10],
  ['serving', 10],
  ['telemetry', 10],
  ['events', 10],
]);
const PROTOCOL_LAYER = 3;
const APP_LAYER = 11;
/** The command line starts daemons and speaks their demo's language, so it stands above them. */
const CLI_LAYER = 12;

/** Rows of which everything is pure: a function of its arguments. */
const PURE_LAYER_MAX = 6;
const CLOCKS = 'Date\\.now|new Date\\(\\)|performance\\.now|setTimeout|setInterval|setImmediate';
const RANDOMNESS = 'Math\\.random|(?:crypto\\.)?(?:getRandomValues|random(?:Bytes|UUID|Int))';
const OUTSIDE = 'process\\.|fetch\\(|console\\.';
const IMPURE = new RegExp(`(?<![.\\w$])(?:${CLOCKS}|${RANDOMNESS}|${OUTSIDE})`, 'g');

/** Libraries that one package alone may import: the others speak to its port. */
const OWNED: readonly { readonly library: RegExp; readonly owner: string }[] = [
  { library: /^(libp2p$|@libp2p\/|@chainsafe\/)/, owner: 'packages/swarm' },
  { library: /^onnxruntime-node$/, owner: 'packages/trainer' },
];

interface Package {
  /** Folder relative to the root. */
  readonly folder: string;
  readonly layer: number;
  readonly dependencies: ReadonlySet<string>;
  /** What only its tests, and the helpers in `testing/`, may import. */
  readonly devDependencies: ReadonlySet<string>;
}

/** `path:line message` of every breach below `root`. */
export function checkLayers(root: string): string[] {
  const faults: string[] = [];
  const packages = new Map<string, Package>();
  for (const folder of ['packages', 'protocols', 'apps']) {
    for (const name of foldersIn(root, folder)) {
      const path = `${folder}/${name}`;
      const layer = layerOf(folder, name);
      if (layer === undefined) faults.push(fault(path, 1, 'is not in the table of layers'));
      else readPackage(root, path, layer, packages, faults);
    }
  }
  for (const owner of packages.values()) {
    const start = `${owner.folder}/src`;
    for (const path of ['.ts', '.tsx'].flatMap((ending) => filesBelow(root, ending, start))) {
      if (path.endsWith('.test.ts')) continue;
      const source = readSource(root, path);
      faults.push(...importFaults(source, owner, packages));
      if (owner.layer <= PURE_LAYER_MAX) faults.push(...purityFaults(source));
    }
  }
  return faults;
}

function layerOf(folder: string, name: string): number | undefined {
  if (folder === 'protocols') return PROTOCOL_LAYER;
  if (folder === 'apps') return name === 'cli' ? CLI_LAYER : APP_LAYER;
  return LAYERS.get(name);
}

interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

function readPackage(
  root: string,
  folder: string,
  layer: number,
  packages: Map<string, Package>,
  faults: string[],
): void {
  const path = `${folder}/package.json`;
  let manifest: Manifest;
  try {
    manifest = JSON.parse(readFileSync(join(root, path), 'utf8')) as Manifest;
  } catch {
    faults.push(fault(path, 1, 'is missing or no JSON'));
    return;
  }
  const [kind, name] = folder.split('/');
  const expected = kind === 'protocols' ? `@starling/protocol-${name}` : `@starling/${name}`;
  if (kind !== 'apps' && manifest.name !== expected) {
    faults.push(fault(path, 1, `is named ${manifest.name}, not ${expected}`));
  }
  const declared = { ...manifest.dependencies, ...manifest.optionalDependencies };
  const dependencies = new Set(Object.keys(declared));
  const devDependencies = new Set(Object.keys(manifest.devDependencies ?? {}));
  packages.set(expected, { folder, layer, dependencies, devDependencies });
}

function importFaults(
  source: Source,
  owner: Package,
  packages: ReadonlyMap<string, Package>,
): string[] {
  // The text goes in whole: the scanner knows comments and strings.
  const { importedFiles } = ts.preProcessFile(source.text, true, true);
  return importedFiles.flatMap(({ fileName, pos }) => {
    const message = importFault(source.path, fileName, owner, packages);
    return message === undefined ? [] : [fault(source.path, lineAt(source.text, pos), message)];
  });
}

/** What is wrong with `owner` importing `specifier` in the file `path`. */
function importFault(
  path: string,
  specifier: string,
  owner: Package,
  packages: ReadonlyMap<string, Package>,
): string | undefined {
  if (specifier.startsWith('.')) {
    const target = posix.join(posix.dirname(path), specifier);
    return target.startsWith(`${owner.folder}/`) ? undefined : `${specifier} leaves the package`;
  }
  if (isBuiltin(specifier)) return builtinFault(specifier, owner);
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
  const owned = OWNED.find(({ library }) => library.test(specifier));
  if (owned !== undefined && owned.owner !== owner.folder) {
    return `only ${owned.owner} imports ${name}`;
  }
  const forTests = path.includes('/testing/') && owner.devDependencies.has(name);
  if (!owner.dependencies.has(name) && !forTests) {
    return `${name} is not a dependency in package.json`;
  }
  return name.startsWith('@starling/') ? upwardFault(name, owner, packages) : undefined;
}

function builtinFault(specifier: string, owner: Package): string | undefined {
  if (!specifier.startsWith('node:')) return `${specifier} is to be written node:${specifier}`;
  if (owner.layer > PURE_LAYER_MAX) return undefined;
  if (specifier === 'node:crypto' && owner.folder === 'packages/crypto') return undefined;
  return `${specifier} in a pure package`;
}

function upwardFault(
  name: string,
  owner: Package,
  packages: ReadonlyMap<string, Package>,
): string | undefined {
  const target = packages.get(name);
  if (target === undefined) return `${name} is no package of this repository`;
  const simulated = target.folder === 'packages/sim' && owner.layer >= APP_LAYER;
  if (simulated && owner.folder !== 'apps/cli') return 'of the apps only cli imports sim';
  if (owner.folder === 'packages/node' && target.layer === 7) {
    return `${name} is wired in by the daemon; node knows its port only`;
  }
  return target.layer < owner.layer
    ? undefined
    : `${name} (layer ${target.layer}) is not below layer ${owner.layer}`;
}

function purityFaults({ path, code }: Source): string[] {
  return [...code.matchAll(IMPURE)].map((match) =>
    fault(path, lineAt(code, match.index), `${match[0]} in a pure package`),
  );
}

if (isMain(import.meta.url)) report('layers', checkLayers(process.cwd()));
