import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type VulkanEnvironment, vulkanBy } from './vulkan.ts';

const PACKAGE = 'mesa-vulkan-drivers';
/** From here on Dawn takes Mesa's Vulkan in software, which has shader-f16. */
const MAJOR_MIN = 25;
const INSTALLED = '/usr/share/vulkan/icd.d';
const LIBRARY = 'usr/lib/x86_64-linux-gnu/libvulkan_lvp.so';
const FETCH_MS = 300_000;

const output = (command: string, args: readonly string[], cwd?: string): string => {
  const { stdout } = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: FETCH_MS });
  return stdout ?? '';
};

/** What makes Vulkan use lavapipe, which is fetched if it can be; else why it is not there. */
export function findLavapipe(): VulkanEnvironment | string {
  const driver = installed() ?? unpacked();
  if (driver !== undefined) return vulkanBy(driver);
  return `${PACKAGE} ${MAJOR_MIN} is not installed, and apt-get could not fetch it from backports`;
}

/** That of the system, where it is new enough. */
function installed(): string | undefined {
  const [, version = ''] = output('dpkg-query', ['--show', PACKAGE]).split('\t');
  if (!(Number.parseInt(version, 10) >= MAJOR_MIN) || !existsSync(INSTALLED)) return undefined;
  const name = readdirSync(INSTALLED).find((file) => file.startsWith('lvp_icd'));
  return name && join(INSTALLED, name);
}

/**
 * From the backports of the release that this system has, beside the system and not into it: its
 * libraries are those of the release.
 */
function unpacked(): string | undefined {
  const folder = join(tmpdir(), 'starling-lavapipe');
  const driver = join(folder, 'lvp_icd.json');
  const library = join(folder, LIBRARY);
  if (!existsSync(library)) fetchInto(folder);
  if (!existsSync(library) || output('ldd', [library]).includes('not found')) return undefined;
  const ICD = { library_path: library, api_version: '1.4.305' };
  writeFileSync(driver, JSON.stringify({ file_format_version: '1.0.1', ICD }));
  return driver;
}

function fetchInto(folder: string): void {
  const source = backports();
  if (source === undefined) return;
  const lists = join(folder, 'lists');
  mkdirSync(join(lists, 'partial'), { recursive: true });
  const list = join(folder, 'backports.list');
  writeFileSync(list, source);
  const own = [
    `Dir::Etc::SourceList=${list}`,
    'Dir::Etc::SourceParts=-',
    `Dir::State::Lists=${lists}`,
  ];
  const options = own.flatMap((option) => ['-o', option]);
  output('apt-get', [...options, 'update'], folder);
  output('apt-get', [...options, 'download', PACKAGE], folder);
  const file = readdirSync(folder).find((name) => name.endsWith('.deb'));
  if (file !== undefined) output('dpkg-deb', ['--extract', file, '.'], folder);
}

/** The line of a list of sources for what stands beside the release among the system's own. */
function backports(): string | undefined {
  const targets = output('apt-get', [
    ...['indextargets', '--format', '$(REPO_URI) $(RELEASE)'],
    ...['Created-By: Packages', 'Component: main', 'Origin: Debian'],
  ]);
  for (const line of targets.split('\n')) {
    const [site, release] = line.split(' ');
    // Without a hyphen it is the release itself and not its updates.
    if (site === undefined || release === undefined || !/^[a-z]+$/.test(release)) continue;
    return `deb ${site} ${release}-backports main\n`;
  }
  return undefined;
}
