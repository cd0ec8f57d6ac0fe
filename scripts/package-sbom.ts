/** The bill of materials: what npm knows of the lock file, without what differs at each run. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Component {
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly licenses?: readonly object[];
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
}

export interface BillOfMaterials {
  readonly bomFormat: string;
  readonly specVersion: string;
  readonly serialNumber: string;
  readonly metadata: { readonly timestamp: string; readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

interface Locked {
  readonly name?: string;
  readonly version?: string;
  readonly dev?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, object>>;
}

/**
 * CycloneDX of all that the command line and its daemon are made of, bundled or beside.
 * @param date seconds since 1970 to be named in it
 */
export function billOfMaterials(root: string, date: number): BillOfMaterials {
  const format = ['--sbom-format', 'cyclonedx', '--sbom-type', 'application'];
  const args = ['sbom', ...format, '--package-lock-only'];
  const told = execFileSync('npm', args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 2 ** 20,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const bill = withoutTools(root, JSON.parse(told) as BillOfMaterials);
  const timestamp = new Date(date * 1000).toISOString();
  // npm names the whole after the folder that it lies in.
  const component = { ...bill.metadata.component, name: 'starling' };
  const { serialNumber: _, ...rest } = bill;
  const metadata = { ...bill.metadata, timestamp, component };
  const digest = createHash('sha256')
    .update(JSON.stringify({ ...rest, metadata }))
    .digest('hex');
  return { ...rest, serialNumber: `urn:uuid:${uuidOf(digest)}`, metadata };
}

/**
 * Without what only developers need. `--omit dev` would leave out too much: also what both they
 * and the program need.
 */
function withoutTools(root: string, bill: BillOfMaterials): BillOfMaterials {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const packages: Readonly<Record<string, Locked>> = lock.packages;
  const needed = new Set<string>();
  // A library finds what it would like to have, if a tool has brought it; then it is bundled.
  const addLiked = (name: string): void => {
    const { version, dependencies = {} } = packages[`node_modules/${name}`] ?? {};
    if (version === undefined || needed.has(`${name}@${version}`)) return;
    needed.add(`${name}@${version}`);
    for (const each of Object.keys(dependencies)) addLiked(each);
  };
  for (const [path, { name, version, dev, ...entry }] of Object.entries(packages)) {
    if (dev || path === '') continue;
    needed.add(`${name ?? path.split('node_modules/').at(-1)}@${version}`);
    for (const each of Object.keys(entry.peerDependenciesMeta ?? {})) addLiked(each);
  }
  const isNeeded = (ref: string) => needed.has(ref) || ref.startsWith('@starling/');
  const components = bill.components.filter((each) => isNeeded(each['bom-ref']));
  const dependencies = bill.dependencies
    .filter(({ ref }) => isNeeded(ref) || ref === bill.metadata.component['bom-ref'])
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter(isNeeded) }));
  return { ...bill, components, dependencies };
}

/** A UUID of version 8, whose bits are the application's own, from a digest. */
function uuidOf(digest: string): string {
  const variant = '89ab'[Number.parseInt(digest[16]!, 16) % 4]!;
  const bits = `${digest.slice(0, 12)}8${digest.slice(13, 16)}${variant}${digest.slice(17, 32)}`;
  return bits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
