import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { missingPrograms } from '../helpers/debian.ts';
import { freePort } from '../helpers/free-port.ts';
import { until } from '../helpers/until.ts';

/** Installs what is missing if it can; otherwise says why there is no GlusterFS. */
export function missingGluster(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can mount GlusterFS';
  if (!existsSync('/dev/fuse')) return 'this kernel has no FUSE';
  const packages = ['glusterfs-server', 'glusterfs-client', 'fuse3'];
  return missingPrograms(['glusterfsd', 'glusterfs', 'fusermount3'], packages);
}

const brickText = (folder: string, port: number): string => `
volume posix
  type storage/posix
  option directory ${folder}
end-volume
volume locks
  type features/locks
  subvolumes posix
end-volume
volume index
  type features/index
  option index-base ${folder}/.glusterfs/indices
  subvolumes locks
end-volume
volume server
  type protocol/server
  option transport-type tcp
  option transport.socket.bind-address 127.0.0.1
  option transport.socket.listen-port ${port}
  option auth.addr.index.allow 127.0.0.1
  subvolumes index
end-volume
`;

const clientText = (ports: readonly number[]): string => `
${ports
  .map(
    (port, index) => `
volume client-${index}
  type protocol/client
  option transport-type tcp
  option remote-host 127.0.0.1
  option remote-port ${port}
  option remote-subvolume index
end-volume`,
  )
  .join('\n')}
volume replicate
  type cluster/replicate
  option afr-pending-xattr ${ports.map((_, index) => `client-${index}`).join(',')}
  subvolumes ${ports.map((_, index) => `client-${index}`).join(' ')}
end-volume
`;

/** A volume on two bricks of this machine, mounted twice, as two hosts would have it. */
export class Gluster {
  readonly mounts: readonly string[];
  readonly #folder: string;
  readonly #children: ChildProcess[] = [];

  constructor(folder: string) {
    this.#folder = folder;
    this.mounts = ['host-a', 'host-b'].map((name) => join(folder, name));
  }

  async start(): Promise<void> {
    const ports = [await freePort(), await freePort()];
    for (const [index, port] of ports.entries()) {
      const brick = join(this.#folder, `brick-${index}`);
      mkdirSync(join(brick, '.glusterfs'), { recursive: true });
      this.#run('glusterfsd', `brick-${index}`, brickText(brick, port), []);
    }
    const file = clientText(ports);
    for (const [index, mount] of this.mounts.entries()) {
      mkdirSync(mount);
      const own = statSync(mount).dev;
      const isMounted = () => {
        try {
          return statSync(mount).dev !== own;
        } catch {
          return false;
        }
      };
      this.#run('glusterfs', `client-${index}`, file, [mount]);
      await until(isMounted, 30_000, `${mount} mounted`);
    }
  }

  async stop(): Promise<void> {
    for (const mount of this.mounts) spawnSync('umount', ['-l', mount]);
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    }
  }

  /** Ends one of the two bricks, as a server that dies. */
  async killBrick(index: number): Promise<void> {
    const child = this.#children[index]!;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  #run(program: string, name: string, volume: string, rest: readonly string[]): void {
    const file = join(this.#folder, `${name}.vol`);
    writeFileSync(file, volume);
    const log = join(this.#folder, `${name}.log`);
    const pid = join(this.#folder, `${name}.pid`);
    const args = ['--no-daemon', '-f', file, '-l', log, '-p', pid, ...rest];
    this.#children.push(spawn(program, args, { stdio: 'ignore' }));
  }
}
