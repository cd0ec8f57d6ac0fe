/** A package for Debian and its kin, from the same files as the tarball. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { billOfMaterials } from './package-sbom.ts';
import { sourceDate, versionOf, writeTree } from './package-tree.ts';

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };
const DOCUMENTS = 'usr/share/doc/starling';

export interface DebOptions {
  readonly root: string;
  /** Where the package goes. */
  readonly folder: string;
  /** An empty folder for what is only of the way. */
  readonly work: string;
}

/** @returns the path of the package */
export function writeDeb({ root, folder, work }: DebOptions): string {
  const architecture = ARCHITECTURES[process.arch] ?? process.arch;
  const version = versionOf(root);
  const date = sourceDate(root);
  const tree = join(work, 'deb');
  const program = join(tree, 'usr/lib/starling');
  writeTree({ root, target: program, demo: true });
  for (const name of ['LICENSE', 'README.md']) rmSync(join(program, name));
  put(tree, 'usr/bin', (into) =>
    symlinkSync('../lib/starling/bin/starling.js', `${into}/starling`),
  );
  put(tree, 'lib/systemd/system', (into) =>
    copyFileSync(join(root, 'deploy/systemd/starling.service'), `${into}/starling.service`),
  );
  put(tree, 'etc/starling', (into) =>
    copyFileSync(join(root, 'deploy/systemd/starling.yaml'), `${into}/starling.yaml`),
  );
  writeDocuments({ root, tree, version, date });
  writeControl({ root, tree, version, architecture });
  const file = join(folder, `starling_${version}_${architecture}.deb`);
  normalise(tree);
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(date) };
  const how = ['--root-owner-group', '-Zxz', '-z3', '--threads-max=1'];
  execFileSync('dpkg-deb', [...how, '--build', tree, file], { env, stdio: 'pipe' });
  return file;
}

function put(tree: string, path: string, write: (into: string) => void): void {
  const into = join(tree, path);
  mkdirSync(into, { recursive: true });
  write(into);
}

interface Contents {
  readonly root: string;
  readonly tree: string;
  readonly version: string;
}

function writeDocuments({ root, tree, version, date }: Contents & { date: number }): void {
  const debian = join(root, 'deploy/debian');
  const stamp = new Date(date * 1000).toUTCString().replace('GMT', '+0000');
  const changelog = readFileSync(join(debian, 'changelog'), 'utf8')
    .replaceAll('@VERSION@', version)
    .replaceAll('@DATE@', stamp);
  const bill = `${JSON.stringify(billOfMaterials(root, date), null, 2)}\n`;
  put(tree, DOCUMENTS, (into) => {
    writeFileSync(join(into, 'changelog.gz'), zipped(changelog));
    writeFileSync(join(into, 'README.md.gz'), zipped(readFileSync(join(root, 'README.md'))));
    writeFileSync(join(into, 'sbom.cdx.json.gz'), zipped(bill));
    copyFileSync(join(debian, 'copyright'), join(into, 'copyright'));
    cpSync(join(root, 'deploy/systemd/drop-ins'), join(into, 'examples'), { recursive: true });
  });
  put(tree, 'usr/share/man/man1', (into) => {
    const page = readFileSync(join(debian, 'starling.1'), 'utf8').replaceAll('@VERSION@', version);
    writeFileSync(join(into, 'starling.1.gz'), zipped(page));
  });
  put(tree, 'usr/share/lintian/overrides', (into) =>
    copyFileSync(join(debian, 'lintian-overrides'), join(into, 'starling')),
  );
}

const zipped = (content: string | Buffer): Buffer =>
  execFileSync('gzip', ['-9n'], { input: content, maxBuffer: 64 * 2 ** 20 });

function writeControl({ root, tree, version, architecture }: Contents & { architecture: string }) {
  const kibibytes = execFileSync('du', ['-sk', '--apparent-size', tree], { encoding: 'utf8' });
  const control = readFileSync(join(root, 'deploy/debian/control'), 'utf8')
    .replace('@VERSION@', version)
    .replace('@ARCHITECTURE@', architecture)
    .replace('@SIZE@', kibibytes.split('\t')[0]!);
  put(tree, 'DEBIAN', (into) => {
    writeFileSync(join(into, 'control'), control);
    writeFileSync(join(into, 'conffiles'), '/etc/starling/starling.yaml\n');
    for (const script of ['postinst', 'prerm', 'postrm']) {
      copyFileSync(join(root, 'deploy/debian', script), join(into, script));
    }
    writeFileSync(join(into, 'md5sums'), sumsOf(tree));
  });
}

/** `md5sums`, by which `dpkg --verify` finds what was changed. */
function sumsOf(tree: string): string {
  const listed = ['find', '.', '-type', 'f', '!', '-path', './DEBIAN/*', '!', '-path', './etc/*'];
  const [program, ...args] = listed;
  const files = execFileSync(program!, args, { cwd: tree, encoding: 'utf8' }).trim().split('\n');
  const names = files.map((path) => path.slice('./'.length)).sort();
  return execFileSync('md5sum', names, { cwd: tree, encoding: 'utf8' });
}

/** Modes as Debian wants them, whatever umask and libraries had. */
function normalise(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isSymbolicLink()) continue;
    if (entry.isDirectory()) normalise(path);
    chmodSync(path, entry.isDirectory() || isProgram(path) ? 0o755 : 0o644);
  }
  if (!existsSync(folder)) return;
  chmodSync(folder, 0o755);
}

/** The launcher and the maintainer's scripts; libraries are loaded, not run. */
const isProgram = (path: string): boolean =>
  path.endsWith('/lib/starling/bin/starling.js') || /\/DEBIAN\/(postinst|prerm|postrm)$/.test(path);
