import { spawnSync } from 'node:child_process';

const INSTALL_MS = 600_000;

/**
 * Installs Debian packages when programs are missing and it can; otherwise says what is missing,
 * and why. Services that come with a package are not started.
 */
export function missingPrograms(
  programs: readonly string[],
  packages: readonly string[] = programs,
): string | undefined {
  const absent = () => programs.filter((name) => spawnSync('which', [name]).status !== 0);
  if (absent().length === 0) return undefined;
  return installed(packages, () => absent().length === 0, `needs ${absent().join(', ')}`);
}

/** The same for what is no program: `works` tells whether it is there. */
export function installed(
  packages: readonly string[],
  works: () => boolean,
  needs: string,
): string | undefined {
  if (works()) return undefined;
  if (spawnSync('apt-get', ['--version']).status !== 0) return `${needs}, and there is no apt-get`;
  if (process.getuid?.() !== 0) return `${needs}, and only root can install it`;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const options = { timeout: INSTALL_MS, env };
  spawnSync('apt-get', ['update'], options);
  spawnSync('apt-get', ['install', '--yes', '--no-install-recommends', ...packages], options);
  return works() ? undefined : `${needs}, and apt-get could not install it`;
}
