import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { installed } from '../helpers/debian.ts';

const PACKAGES = ['chromium-common', 'libvulkan1'];
/** SwiftShader, a Vulkan in software that comes with Debian's Chromium. */
const DRIVER = '/usr/lib/chromium/vk_swiftshader_icd.json';

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

/** Why there is no Vulkan in software; undefined when there is. */
export const missingVulkan = (): string | undefined =>
  installed(PACKAGES, isThere, `needs ${PACKAGES.join(' and ')}`);
