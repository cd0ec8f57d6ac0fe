/**
 * Makes what is installed without the repository, into `dist/` below it unless told otherwise:
 *
 *     npx tsx scripts/package.ts tree FOLDER [--no-demo]   the program as a folder
 *     npx tsx scripts/package.ts image FOLDER              what a container image gets
 *     npx tsx scripts/package.ts tarball [FOLDER]          .tar.gz, SBOM and SHA256SUMS
 *     npx tsx scripts/package.ts deb [FOLDER]              the same, and a package for Debian
 *     npx tsx scripts/package.ts npm FOLDER                what `npm pack FOLDER` packs
 *
 * The same commit gives the same bytes; `SOURCE_DATE_EPOCH` stands for its date where git is not.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { writeDeb } from './package-deb.ts';
import { billOfMaterials } from './package-sbom.ts';
import { sourceDate, versionOf, writeNpmPackage, writeTree } from './package-tree.ts';
import { isMain } from './source-text.ts';

/** Writes the tarball and its bill of materials. @returns their paths */
export function writeTarball(root: string, folder: string): readonly string[] {
  const date = sourceDate(root);
  const name = `starling-${versionOf(root)}-${process.platform}-${process.arch}`;
  const sbom = join(folder, `${name}.cdx.json`);
  const text = `${JSON.stringify(billOfMaterials(root, date), null, 2)}\n`;
  writeFileSync(sbom, text);
  const archive = join(folder, `${name}.tar.gz`);
  withTemporary((work) => {
    const target = join(work, name);
    writeTree({ root, target, demo: true });
    writeFileSync(join(target, 'sbom.cdx.json'), text);
    const owner = ['--owner=0', '--group=0', '--numeric-owner', '--mode=u+rwX,go+rX,go-w'];
    const order = ['--sort=name', `--mtime=@${date}`, '--format=gnu'];
    const archived = `${archive}.tar`;
    execFileSync('tar', ['-C', work, ...owner, ...order, '-cf', archived, name]);
    // Without name and time, which gzip would write down too.
    execFileSync('gzip', ['-n', '-6', '-f', '-S', '.gz', archived]);
    execFileSync('mv', [`${archived}.gz`, archive]);
  });
  return [archive, sbom];
}

/** The root file system that `deploy/Containerfile` copies: program, name on the path, state. */
export function writeImageFiles(root: string, folder: string): void {
  mkdirSync(join(folder, 'usr/bin'), { recursive: true });
  writeTree({ root, target: join(folder, 'usr/lib/starling'), demo: false });
  const text = JSON.stringify(billOfMaterials(root, sourceDate(root)), null, 2);
  writeFileSync(join(folder, 'usr/lib/starling/sbom.cdx.json'), `${text}\n`);
  symlinkSync('../lib/starling/bin/starling.js', join(folder, 'usr/bin/starling'));
  mkdirSync(join(folder, 'var/lib/starling'), { recursive: true, mode: 0o700 });
}

/** `SHA256SUMS`, as `sha256sum --check` reads it. */
function writeSums(folder: string, files: readonly string[]): void {
  const lines = files.map((file) => {
    const digest = createHash('sha256').update(readFileSync(file)).digest('hex');
    return `${digest}  ${basename(file)}\n`;
  });
  writeFileSync(join(folder, 'SHA256SUMS'), lines.join(''));
}

function withTemporary(work: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'starling-package-'));
  try {
    work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function main(): void {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { demo: { type: 'boolean', default: true } },
    allowNegative: true,
  });
  const [what = '', where = 'dist'] = positionals;
  const root = resolve(import.meta.dirname, '..');
  const folder = resolve(where);
  const works: Readonly<Record<string, () => void>> = {
    tree: () => writeTree({ root, target: folder, demo: values.demo }),
    image: () => writeImageFiles(root, folder),
    npm: () => writeNpmPackage(root, folder),
    tarball: () => release(root, folder, false),
    deb: () => release(root, folder, true),
  };
  const work = works[what];
  if (work !== undefined) {
    work();
    return;
  }
  process.stderr.write('usage: package.ts tree|image|npm|tarball|deb [FOLDER] [--no-demo]\n');
  process.exitCode = 2;
}

/** Files to be handed out, with their checksums. */
function release(root: string, folder: string, deb: boolean): void {
  mkdirSync(folder, { recursive: true });
  const files = [...writeTarball(root, folder)];
  if (deb) withTemporary((work) => files.push(writeDeb({ root, folder, work })));
  writeSums(folder, files);
  for (const file of [...files, join(folder, 'SHA256SUMS')]) process.stdout.write(`${file}\n`);
}

if (isMain(import.meta.url)) main();
