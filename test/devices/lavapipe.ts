import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type VulkanEnvironment, vulkanBy } from './vulkan.ts';

const PACKAGE = 'mesa-vulkan-drivers';
/** From here on Dawn takes Mesa's Vulkan in software, which has shader-f16. */
const MAJOR_MIN = 25;
const INSTALLED = '/usr/share/vulkan/icd.d';
const LIBRARY = 'usr/lib/x86_64-linux-gnu/libvulkan_lvp.so';
const DESCRIPTION = 'lvp_icd.json';
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
  const library = join(folder, LIBRARY);
  if (!existsSync(library)) fetchTo(folder);
  if (!existsSync(library) || output('ldd', [library]).includes('not found')) return undefined;
  return join(folder, DESCRIPTION);
}

/** Whole or not at all: several tests may fetch it at once. */
function fetchTo(folder: string): void {
  const source = backports();
  if (source === undefined) return;
  const work = mkdtempSync(join(tmpdir(), 'starling-lavapipe-'));
  try {
    fetchInto(work, source);
    const ICD = { library_path: join(folder, LIBRARY), api_version: '1.4.305' };
    const description = JSON.stringify({ file_format_version: '1.0.1', ICD });
    writeFileSync(join(work, DESCRIPTION), description);
    if (existsSync(join(work, LIBRARY))) renameSync(work, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function fetchInto(work: string, source: string): void {
  const lists = join(work, 'lists');
  mkdirSync(join(lists, 'partial'), { recursive: true });
  const list = join(work, 'backports.list');
  writeFileSync(list, source);
  const options = [
    `Dir::Etc::SourceList=${list}`,
    'Dir::Etc::SourceParts=-',
    `Dir::State::Lists=${lists}`,
  ].flatMap((option) => ['-o', option]);
  output('apt-get', [...options, 'update'], work);
  output('apt-get', [...options, 'download', PACKAGE], work);
  const file = readdirSync(work).find((name) => name.endsWith('.deb'));
  if (file !== undefined) output('dpkg-deb', ['--extract', file, '.'], work);
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
