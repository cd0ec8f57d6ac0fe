import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { missingPrograms } from '../helpers/debian.ts';

const PROGRAMS = ['ceph', 'ceph-mon', 'ceph-mgr', 'ceph-osd', 'radosgw'];
const PACKAGES = ['ceph-common', 'ceph-mon', 'ceph-mgr', 'ceph-osd', 'radosgw'];
const STARTS_MAX = 600;
const STEP_MS = 200;
const STORE_BYTES = 512 * 2 ** 20;

export interface Gateway {
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** Runs `radosgw-admin`. */
  admin(...args: readonly string[]): string;
  /** Ends every process that it started. */
  stop(): Promise<void>;
}

/** What the gateway needs and cannot be had; undefined when all is there. */
export const missingCeph = (): string | undefined => missingPrograms(PROGRAMS, PACKAGES);

/**
 * A Ceph cluster of one monitor, one manager and one OSD in memory with an object gateway, all on
 * loopback and below `folder`.
 */
export async function startGateway(folder: string): Promise<Gateway> {
  const [mon, port] = [await freePort(), await freePort()];
  const cluster = new Cluster(folder, mon);
  try {
    await cluster.startMonitor();
    await cluster.startManager();
    await cluster.startStore();
    const endpoint = `http://127.0.0.1:${port}`;
    await cluster.startObjectGateway(port, endpoint);
    const keys = { accessKey: 'STARLINGACCESSKEY', secretKey: 'starlingSecretKeyOfATest' };
    cluster.run('radosgw-admin', [
      ...['user', 'create', '--uid=starling', '--display-name=starling'],
      ...[`--access-key=${keys.accessKey}`, `--secret-key=${keys.secretKey}`],
    ]);
    const admin = (...args: readonly string[]) => cluster.run('radosgw-admin', args);
    return { endpoint, ...keys, admin, stop: () => cluster.stop() };
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

class Cluster {
  readonly #folder: string;
  readonly #mon: number;
  readonly #conf: string;
  readonly #keyring: string;
  readonly #fsid = randomUUID();
  readonly #processes: ChildProcess[] = [];

  constructor(folder: string, mon: number) {
    this.#folder = folder;
    this.#mon = mon;
    this.#conf = join(folder, 'ceph.conf');
    this.#keyring = join(folder, 'keyring');
    writeFileSync(this.#conf, this.#configuration());
  }

  #configuration(): string {
    const at = (name: string) => join(this.#folder, name);
    return `[global]
fsid = ${this.#fsid}
mon host = [v1:127.0.0.1:${this.#mon}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
keyring = ${this.#keyring}
run dir = ${this.#folder}
admin socket = ${at('$name.asok')}
pid file =
log file = ${at('$name.log')}
mon data = ${at('mon')}
mgr data = ${at('mgr')}
osd data = ${at('osd')}
osd objectstore = memstore
memstore device bytes = ${STORE_BYTES}
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
auth allow insecure global id reclaim = false
mgr initial modules =
rgw dns name = 127.0.0.1
rgw thread pool size = 32
`;
  }

  /** Runs a tool of Ceph to its end. */
  run(program: string, args: readonly string[]): string {
    return execFileSync(program, ['--conf', this.#conf, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 120_000,
    });
  }

  async startMonitor(): Promise<void> {
    const everything = { mon: 'allow *', osd: 'allow *', mgr: 'allow *', mds: 'allow *' };
    this.#makeKey('mon.', { mon: 'allow *' });
    this.#makeKey('client.admin', everything);
    this.#makeKey('client.rgw', { mon: 'allow rw', osd: 'allow rwx', mgr: 'allow rw' });
    this.#makeKey('mgr.x', { mon: 'allow profile mgr', osd: 'allow *' });
    this.#makeKey('osd.0', { mon: 'allow profile osd', osd: 'allow *', mgr: 'allow profile osd' });
    const map = join(this.#folder, 'monmap');
    const address = `[v1:127.0.0.1:${this.#mon}]`;
    execFileSync('monmaptool', ['--create', '--addv', 'a', address, '--fsid', this.#fsid, map], {
      stdio: 'pipe',
    });
    mkdirSync(join(this.#folder, 'mon'));
    this.run('ceph-mon', ['--mkfs', '-i', 'a', '--monmap', map, '--keyring', this.#keyring]);
    this.#start('ceph-mon', ['-i', 'a', '--public-addr', address]);
    await this.#until('the monitor', () => this.run('ceph', ['--connect-timeout', '5', 'status']));
  }

  async startManager(): Promise<void> {
    mkdirSync(join(this.#folder, 'mgr'));
    this.#start('ceph-mgr', ['-i', 'x']);
    await this.#until('the manager', () => {
      if (!this.run('ceph', ['mgr', 'stat']).includes('"available": true')) throw new Error('no');
    });
  }

  async startStore(): Promise<void> {
    const uuid = randomUUID();
    mkdirSync(join(this.#folder, 'osd'));
    this.run('ceph', ['osd', 'new', uuid]);
    this.run('ceph-osd', ['-i', '0', '--mkfs', '--osd-uuid', uuid]);
    this.#start('ceph-osd', ['-i', '0']);
    await this.#until('the OSD', () => {
      if (!/\b1 up\b/.test(this.run('ceph', ['osd', 'stat']))) throw new Error('not up');
    });
  }

  async startObjectGateway(port: number, endpoint: string): Promise<void> {
    const frontend = `beast endpoint=127.0.0.1:${port}`;
    this.#start('radosgw', ['-n', 'client.rgw', '--rgw-frontends', frontend]);
    await this.#until('the gateway', async () => {
      const { status } = await fetch(endpoint);
      if (status !== 200) throw new Error(`status ${status}`);
    });
  }

  /** Ends the processes in the opposite order; one that does not listen is killed. */
  async stop(): Promise<void> {
    for (const child of this.#processes.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      // An OSD has been seen to sleep through SIGTERM.
      const timer = setTimeout(() => child.kill('SIGKILL'), 3000);
      await ended;
      clearTimeout(timer);
    }
  }

  #makeKey(name: string, capabilities: Readonly<Record<string, string>>): void {
    const caps = Object.entries(capabilities).flatMap(([of, what]) => ['--cap', of, what]);
    const file = spawnSync('test', ['-e', this.#keyring]).status === 0 ? [] : ['--create-keyring'];
    const args = [...file, this.#keyring, '--gen-key', '-n', name, ...caps];
    execFileSync('ceph-authtool', args, { stdio: 'pipe' });
  }

  #start(program: string, args: readonly string[]): void {
    const out = openSync(join(this.#folder, `${program}.out`), 'a');
    const all = ['--conf', this.#conf, '-f', ...args];
    this.#processes.push(spawn(program, all, { stdio: ['ignore', out, out] }));
    closeSync(out);
  }

  async #until(what: string, works: () => unknown): Promise<void> {
    let reason: unknown;
    for (let i = 0; i < STARTS_MAX; i++) {
      try {
        await works();
        return;
      } catch (error) {
        reason = error;
      }
      const dead = this.#processes.find((child) => child.exitCode !== null);
      if (dead !== undefined) {
        const said = readFileSync(join(this.#folder, `${dead.spawnfile}.out`), 'utf8');
        throw new Error(`${dead.spawnfile} ended with ${dead.exitCode}: ${said.slice(-2000)}`);
      }
      await delay(STEP_MS);
    }
    throw new Error(`${what} did not start: ${reason}`);
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
