import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const PACKAGES = ['chromium-common', 'libvulkan1'];
/** SwiftShader, a Vulkan in software that comes with Debian's Chromium. */
const DRIVER = '/usr/lib/chromium/vk_swiftshader_icd.json';
const INSTALL_MS = 300_000;

/** Whether the loader is there, whatever the machine is called. */
const hasLoader = (): boolean =>
  spawnSync('sh', ['-c', 'ldconfig -p 2>/dev/null | grep -q libvulkan.so.1'], {
    env: { ...process.env, PATH: `${process.env['PATH']}:/sbin:/usr/sbin` },
  }).status === 0;

const isThere = (): boolean => existsSync(DRIVER) && hasLoader();

/**
 * What makes Vulkan use one driver: both names, since older loaders know the second only. The
 * loader wants a folder for the runtime, which it does not use.
 */
export const vulkanBy = (driver: string) => ({
  ...{ VK_DRIVER_FILES: driver, VK_ICD_FILENAMES: driver, XDG_RUNTIME_DIR: '/tmp' },
});
export type VulkanEnvironment = ReturnType<typeof vulkanBy>;

export const SOFTWARE_VULKAN = vulkanBy(DRIVER);

/** Installs a Vulkan in software if it can; otherwise says that it is missing, and why. */
export function missingVulkan(): string | undefined {
  if (isThere()) return undefined;
  const named = `${PACKAGES.join(' and ')} are not installed`;
  if (process.getuid?.() !== 0) return `${named}, and only root can install them`;
  const options = {
    timeout: INSTALL_MS,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  };
  spawnSync('apt-get', ['update'], options);
  spawnSync('apt-get', ['install', '--yes', '--no-install-recommends', ...PACKAGES], options);
  return isThere() ? undefined : `${named}, and apt-get could not install them`;
}
