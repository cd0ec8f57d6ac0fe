import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type JobView, jobFileSchema } from '@starling/control';
import { parsePeerId, publicKeyOf } from '@starling/crypto';
import { writeModel } from '@starling/onnx';
import { zooModel } from '@starling/trainer';
import { describe, expect, onTestFinished, test } from 'vitest';
import { missingPrograms } from '../helpers/debian.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { until } from '../helpers/until.ts';
import { Daemons, rounded, type TestDaemon } from '../network/daemons.ts';
import { type Host, missingNamespaces, TestNetwork } from '../network/namespaces.ts';

const RULES = join(import.meta.dirname, '../../deploy/nftables/starling.nft');
const isFull = process.env['STARLING_TEST_SIZE'] === 'full';
const missing = isFull
  ? (missingNamespaces() ?? missingPrograms(['tcpdump']))
  : 'firewalls and captures are tested at full size only';
if (missing !== undefined) console.log(`skipped: ${missing}`);

const PORT = 4001;
const OTHER_PORT = 4002;
const NAMES = { job: 'job-that-nobody-reads', swarm: 'swarm-that-nobody-reads' };
const ROUNDS = 2;
/** What is written in plain text on purpose, to see that the search would find it. */
const MARKER = 'marker-that-everybody-reads';

const inside = ({ namespace }: Host, ...words: readonly string[]): string[] => [
  ...['netns', 'exec', namespace],
  ...words,
];

function guard(host: Host): void {
  const { status, stderr } = spawnSync('ip', inside(host, 'nft', '-f', RULES), {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`nft: ${stderr}`);
}

/** All that goes over a host's link, until it is asked for. */
async function capture(host: Host, file: string): Promise<() => Promise<Buffer>> {
  const words = ['tcpdump', '-i', 'wan', '-s', '0', '-U', '-Z', 'root', '-w', file];
  const child: ChildProcess = spawn('ip', inside(host, ...words), {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let told = '';
  child.stderr!.on('data', (data) => {
    told += data;
  });
  await until(() => told.includes('listening on'), 30_000, 'tcpdump');
  return async () => {
    await until(() => readFileSync(file).includes(MARKER), 30_000, 'the marker');
    const exit = once(child, 'exit');
    child.kill('SIGINT');
    await exit;
    return readFileSync(file);
  };
}

/** Whether a connection comes about, and writes a line into it. */
function reaches(from: Host, address: string, port: number): boolean {
  const code = `
    const socket = require('node:net').connect(${port}, '${address}');
    socket.setTimeout(2000, () => process.exit(1));
    socket.on('error', () => process.exit(1));
    socket.on('connect', () => socket.end('${MARKER}\\n', () => process.exit(0)));`;
  return spawnSync('ip', inside(from, process.execPath, '-e', code)).status === 0;
}

async function listening(host: Host): Promise<void> {
  const code = `require('node:net').createServer().listen(${OTHER_PORT}, () => console.log('up'))`;
  const child = spawn('ip', inside(host, process.execPath, '-e', code), {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout!, 'data');
}

async function launch(daemons: readonly TestDaemon[]): Promise<string> {
  const file = jobFileSchema.parse({
    name: NAMES.job,
    model: 'zoo:mlp',
    data: { task: 'mnist', input: { shape: [784] }, classes: 10 },
    aggregation: { phaseSeconds: 5 },
    admission: { joinWindowSeconds: 5 },
    stop: { rounds: ROUNDS },
  });
  const { job } = await daemons[0]!.client.launch(file, writeModel(zooModel('mlp', 1)));
  for (const { client } of daemons) {
    const view = await until(async () => (await client.jobs()).find(({ id }) => id === job));
    if (view.standing === 'waiting-for-approval') await client.approve(job);
  }
  return job;
}

async function joinAll([first, ...others]: readonly TestDaemon[]): Promise<void> {
  await first!.client.swarm.create({ name: NAMES.swarm });
  for (const { client } of others) {
    const { invite } = await first!.client.swarm.invite({});
    await client.swarm.join(invite);
  }
}

/** What must not be readable on the wire, by what it is. */
async function secrets(
  daemons: readonly TestDaemon[],
  [view]: readonly JobView[],
): Promise<ReadonlyMap<string, Buffer>> {
  const found = new Map<string, Buffer>();
  for (const [what, name] of Object.entries(NAMES)) found.set(`name of the ${what}`, utf8(name));
  found.set('id of the job', utf8(view!.id));
  found.set('hash of the state', Buffer.from(view!.stateHash!, 'hex'));
  for (const { name, client } of daemons) {
    const { peerId } = await client.status();
    found.set(`peer id of ${name}`, utf8(peerId));
    found.set(`public key of ${name}`, Buffer.from(publicKeyOf(parsePeerId(peerId)!)));
  }
  const models = {
    'first model': writeModel(zooModel('mlp', 1)),
    'last model': Buffer.from((await daemons[1]!.client.pull(view!.id)).model, 'base64'),
  };
  for (const [what, model] of Object.entries(models)) {
    for (let at = 50_000; at < model.length - 50_000; at += 50_000) {
      found.set(`${what} at byte ${at}`, Buffer.from(model.subarray(at, at + 16)));
    }
  }
  return found;
}

const utf8 = (text: string): Buffer => Buffer.from(text, 'utf8');

describe.skipIf(missing !== undefined)('with nothing let through but the documented port', () => {
  test.each(['private', 'public'])('three peers of a %s swarm train, unread', async (kind) => {
    const network = new TestNetwork();
    const folder = await temporaryDirectory();
    const daemons = new Daemons(folder);
    onTestFinished(async () => {
      await daemons.stop();
      network.close();
    });
    const hosts = [network.host(), network.host(), network.host()];
    const [one, two] = hosts as [Host, Host];
    await listening(two);
    expect(reaches(one, two.address, OTHER_PORT)).toBe(true);
    for (const host of hosts) guard(host);
    expect(reaches(one, two.address, OTHER_PORT)).toBe(false);
    const stop = await capture(one, join(folder, 'capture'));

    const listen = hosts.map(({ address }) => `/ip4/${address}/tcp/${PORT}`);
    const bootstrap = kind === 'public' ? [listen[0]!] : [];
    const peers: TestDaemon[] = [];
    for (const [index, host] of hosts.entries()) {
      const own = [listen[index]!];
      // A public address goes into invites once others have confirmed it, or when it is announced.
      const config = { listen: own, announce: own, bootstrap: index === 0 ? [] : bootstrap };
      peers.push(await daemons.start(`peer-${index}`, config, host.namespace));
      await daemons.addData(peers[index]!, index);
    }
    if (kind === 'private') await joinAll(peers);
    const meshed = async () => (await peers[0]!.client.status()).peers.length === 2;
    await until(meshed, 60_000, 'the mesh');
    const job = await launch(peers);
    const views = await rounded(peers, job, ROUNDS);
    expect(new Set(views.map(({ stateHash }) => stateHash)).size).toBe(1);

    const hidden = await secrets(peers, views);
    expect(reaches(one, two.address, PORT)).toBe(true);
    const wire = await stop();
    // Two models and two rounds of updates went by.
    expect(wire.length).toBeGreaterThan(2_000_000);
    const read = [...hidden].filter(([, bytes]) => wire.includes(bytes)).map(([what]) => what);
    expect(read).toEqual([]);
    // Only the pre-shared key hides that this is libp2p at all.
    expect(wire.includes('/multistream/1.0.0')).toBe(kind === 'public');
  });
});
