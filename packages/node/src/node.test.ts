import { ConfigError, type JobId, utf8 } from '@starling/core';
import { hashHex } from '@starling/crypto';
import { decodeState } from '@starling/federation';
import type { Manifest } from '@starling/protocol-rounds';
import type { Policy, Trainer } from '@starling/rounds';
import { fromBitmap } from '@starling/secagg';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  TEST_MODEL,
  type VirtualPeer,
  VirtualSwarm,
  virtualManifest,
} from '../../../test/helpers/virtual-swarm.ts';
import { Catalogue } from './catalogue.ts';

async function swarmOf(count: number, seed = 1): Promise<VirtualSwarm> {
  const swarm = new VirtualSwarm(seed);
  for (let i = 0; i < count; i++) await swarm.add();
  await swarm.pass(1_000);
  onTestFinished(async () => {
    await swarm.stop();
    expect(swarm.fatal).toEqual([]);
  });
  return swarm;
}

const launch = (swarm: VirtualSwarm, changes: Partial<Manifest> = {}) =>
  swarm.run(swarm.peers[0]!.node.launch(virtualManifest(changes), TEST_MODEL));
const standingOf = (peer: VirtualPeer, job: JobId) => peer.node.job(job)?.standing;
const everybody: Policy = { trust: { includes: () => true }, minPeers: 3 };
const nobody: Policy = { trust: { includes: () => false }, minPeers: 3 };

/** Whether manifest and model of the job are on a peer's disk. */
async function holds({ journal, blobs }: VirtualPeer, job: JobId): Promise<boolean> {
  const manifests = (await new Catalogue(journal).all()).map(({ manifest }) => hashHex(manifest));
  return manifests.includes(job) && (await blobs.has(virtualManifest().model));
}

describe('launch', () => {
  test('resolves when as many others as asked for hold the job durably', async () => {
    const swarm = await swarmOf(6);
    const { job, copies, peers } = await launch(swarm);
    expect([copies, peers]).toEqual([3, 5]);
    const held = await Promise.all(swarm.peers.slice(1).map((peer) => holds(peer, job)));
    expect(held.filter(Boolean).length).toBeGreaterThanOrEqual(3);
  });

  test('is content with all there are, and with nobody', async () => {
    const [three, one] = [await swarmOf(3), await swarmOf(1)];
    expect(await launch(three)).toMatchObject({ copies: 2, peers: 2 });
    expect(await launch(one)).toMatchObject({ copies: 0, peers: 0 });
  });

  test('passes over a peer that does not take it', async () => {
    const swarm = await swarmOf(5);
    const broken = swarm.peers[1]!;
    broken.blobs.put = () => Promise.reject(new ConfigError('state', 'no space left'));
    const { job, copies } = await launch(swarm);
    expect(copies).toBe(3);
    expect(await holds(broken, job)).toBe(false);
  });

  test('refuses what nobody could take part in, and keeps nothing of it', async () => {
    const swarm = await swarmOf(1);
    const { node } = swarm.peers[0]!;
    const refused = (changes: Partial<Manifest>, model = TEST_MODEL) =>
      expect(swarm.run(node.launch(virtualManifest(changes), model))).rejects;
    await refused({ stop: { rounds: 0, target: null, seconds: 0 } }).toThrow('stop.rounds');
    await refused({}, utf8('{}')).toThrow('no dimension');
    const other = utf8('{"dim":51}');
    await refused({}, other).toThrow('job.model: is not the model given');
    expect(node.jobs()).toEqual([]);
  });
});

test('a job that nobody knows is an error that says where to look', async () => {
  const swarm = await swarmOf(1);
  const { node } = swarm.peers[0]!;
  const unknown = 'f'.repeat(64) as JobId;
  expect(node.job(unknown)).toBeUndefined();
  for (const asked of [node.approve(unknown), node.refuse(unknown), node.model(unknown)]) {
    await expect(asked).rejects.toThrow(ConfigError);
    await expect(asked).rejects.toThrow(`no job ${unknown}. \`starling jobs\``);
  }
});

test('the model after any certified round is had, from others where it is gone here', async () => {
  const swarm = await swarmOf(4);
  const { job } = await launch(swarm);
  await swarm.until(() => swarm.peers.every(({ node }) => node.job(job)?.phase === 'finished'));
  const { node, blobs } = swarm.peers[1]!;
  const at = (round?: number) => swarm.run(node.model(job, round));
  const states = [await at(0), await at(1), await at()].map(
    ({ state }) => decodeState(state).round,
  );
  expect(states).toEqual([0, 1, 2]);
  const first = await at(1);
  expect(first.certificates.map(({ statement }) => statement.round)).toEqual([1]);
  const hash = first.certificates[0]!.statement.stateHash;
  await blobs.delete(hash);
  expect(await at(1)).toEqual(first);
  await expect(at(3)).rejects.toThrow('"virtual" has 2 certified rounds here');
  for (const peer of swarm.peers) await peer.blobs.delete(hash);
  await expect(at(1)).rejects.toThrow('nobody reachable has the model after round 1');
});

describe('the owner’s word', () => {
  test('a stranger’s job waits for it, follows it, and remembers it', async () => {
    const swarm = await swarmOf(2);
    const peer = await swarm.add({ policy: nobody });
    const { job } = await launch(swarm);
    await swarm.until(() => peer.node.job(job) !== undefined);
    await swarm.pass(100);
    expect(standingOf(peer, job)?.kind).toBe('waiting-for-approval');
    await swarm.run(peer.node.reconsider());
    expect(standingOf(peer, job)?.kind).toBe('waiting-for-approval');
    await swarm.run(peer.node.approve(job));
    expect(standingOf(peer, job)).toEqual({ kind: 'participating', dataset: 'mine' });
    await swarm.restart(peer);
    await swarm.pass(100);
    expect(standingOf(peer, job)).toEqual({ kind: 'participating', dataset: 'mine' });
    await swarm.run(peer.node.refuse(job));
    expect(standingOf(peer, job)).toEqual({ kind: 'refused', reason: 'refused by you' });
    await swarm.restart(peer);
    await swarm.pass(100);
    expect(standingOf(peer, job)?.kind).toBe('refused');
    expect(peer.node.job(job)!.phase).toBe('watching');
  });

  test('a job that waits starts when its launcher becomes a trusted one', async () => {
    const swarm = await swarmOf(2);
    const peer = await swarm.add({ policy: nobody });
    const { job } = await launch(swarm);
    await swarm.until(() => standingOf(peer, job)?.kind === 'waiting-for-approval');
    peer.settings.policy = everybody;
    await swarm.run(peer.node.reconsider());
    expect(standingOf(peer, job)?.kind).toBe('participating');
  });

  test('who refuses before its JOIN is in no roster, and follows the job to its end', async () => {
    const swarm = await swarmOf(3);
    const peer = await swarm.add();
    const { job } = await launch(swarm, { admission: { ...virtualManifest().admission } });
    await swarm.until(() => peer.node.job(job)?.standing.kind === 'participating');
    await swarm.run(peer.node.refuse(job));
    await swarm.until(() => peer.node.job(job)!.phase === 'finished');
    const rosters = peer.node.job(job)!.certificates.map(({ statement }) => statement.roster);
    expect(rosters).toHaveLength(2);
    expect(rosters[1]).not.toContain(peer.key.peerId);
  });

  test('who wants company that is not there votes, and its update is in no sum', async () => {
    const swarm = await swarmOf(4);
    const absent = swarm.keyOf(99).peerId;
    const company = { peers: [absent], least: 1 };
    const peer = await swarm.add({ policy: { ...everybody, company } });
    const { job } = await launch(swarm);
    await swarm.until(() => swarm.peers.every(({ node }) => node.job(job)?.phase === 'finished'));
    for (const { statement } of peer.node.job(job)!.certificates) {
      const member = statement.roster.indexOf(peer.key.peerId);
      const survivors = fromBitmap(statement.survivors, statement.roster.length)!;
      expect(survivors).not.toContain(member);
    }
  });

  test('approval cannot go below the owner’s own least number of peers', async () => {
    const swarm = await swarmOf(2);
    const peer = await swarm.add({ policy: { ...nobody, minPeers: 5 } });
    const { job } = await launch(swarm);
    await swarm.until(() => standingOf(peer, job)?.kind === 'refused');
    await expect(peer.node.approve(job)).rejects.toThrow('policy.minPeers');
    peer.settings.policy = nobody;
    await swarm.run(peer.node.approve(job));
    expect(standingOf(peer, job)?.kind).toBe('participating');
  });
});

describe('cancel', () => {
  test('ends a job at every peer, at one that was away too, and outlasts a restart', async () => {
    const swarm = await swarmOf(4);
    const { job } = await launch(swarm, { stop: { rounds: 50, target: null, seconds: 0 } });
    const [launcher, , , away] = swarm.peers as [
      VirtualPeer,
      VirtualPeer,
      VirtualPeer,
      VirtualPeer,
    ];
    const lengthOf = ({ node }: VirtualPeer) => node.job(job)?.certificates.length ?? 0;
    await swarm.until(() => swarm.peers.every((peer) => lengthOf(peer) > 0));
    await swarm.kill(away);
    const report = await swarm.run(launcher.node.cancel(job));
    expect(report.phase).toBe('cancelled');
    const isCancelled = ({ node }: VirtualPeer) => node.job(job)?.phase === 'cancelled';
    await swarm.until(() => swarm.peers.filter((peer) => peer !== away).every(isCancelled));
    await swarm.restart(away);
    await swarm.until(() => isCancelled(away));
    const kept = lengthOf(launcher);
    expect(kept).toBeGreaterThan(0);
    await swarm.restart(launcher);
    await swarm.pass(60_000);
    expect(isCancelled(launcher)).toBe(true);
    expect(lengthOf(launcher)).toBe(kept);
  });

  test('is the launcher’s alone', async () => {
    const swarm = await swarmOf(2);
    const { job } = await launch(swarm);
    const [, other] = swarm.peers as [VirtualPeer, VirtualPeer];
    await swarm.until(() => other.node.job(job) !== undefined);
    await expect(other.node.cancel(job)).rejects.toThrow('only it can cancel it');
  });
});

test('a job without data says what differs, and starts when data come', async () => {
  const swarm = await swarmOf(2);
  const peer = await swarm.add({ match: { ok: false, reasons: ['shape: 3, not 4'] } });
  const { job } = await launch(swarm);
  await swarm.until(() => standingOf(peer, job)?.kind === 'no-data');
  expect(standingOf(peer, job)).toEqual({ kind: 'no-data', reasons: ['shape: 3, not 4'] });
  await swarm.run(peer.node.reconsider());
  expect(standingOf(peer, job)?.kind).toBe('no-data');
  peer.settings.match = { ok: true, dataset: 'new' };
  await swarm.run(peer.node.reconsider());
  expect(standingOf(peer, job)).toEqual({ kind: 'participating', dataset: 'new' });
  await swarm.until(() => peer.node.job(job)!.phase === 'finished');
});

test('a peer whose update holds NaN never JOINs; the others finish, and it follows', async () => {
  const swarm = await swarmOf(3);
  const [{ settings }] = swarm.peers as [VirtualPeer];
  const trainer: Trainer = {
    ...settings.trainer,
    prepare: async (wanted) => ({
      ...(await settings.trainer.prepare(wanted)),
      train: async (vector) => ({
        update: new Float32Array(vector.length).fill(Number.NaN),
        norm: Number.NaN,
        trainingLoss: Number.NaN,
        localSteps: 1,
        examples: 1,
      }),
    }),
  };
  const sick = await swarm.add({ trainer });
  const { job } = await launch(swarm);
  await swarm.until(() => swarm.peers.every(({ node }) => node.job(job)?.phase === 'finished'));
  const { certificates } = sick.node.job(job)!;
  expect(certificates).toHaveLength(2);
  for (const { statement } of certificates) expect(statement.roster).not.toContain(sick.key.peerId);
  expect(sick.notices.some(({ kind }) => kind === 'joining')).toBe(false);
  expect(sick.notices).toContainEqual({ kind: 'train-failed', reason: expect.any(String) });
  const heads = swarm.peers.map(({ node }) => node.job(job)!.certificates[1]!.statement.stateHash);
  expect(new Set(heads).size).toBe(1);
});

test('a long training tells how far it is, until it is over', async () => {
  const swarm = await swarmOf(3);
  const [{ settings }] = swarm.peers as [VirtualPeer];
  const progress = { step: 3, steps: 9, examplesPerSecond: 50, secondsLeft: 4 };
  const seen: unknown[] = [];
  const trainer: Trainer = {
    ...settings.trainer,
    prepare: async (wanted) => {
      const prepared = await settings.trainer.prepare(wanted);
      return {
        ...prepared,
        train: (vector, seed, context, onProgress) => {
          onProgress?.(progress);
          seen.push(...slow.node.jobs().map((each) => each.progress));
          return prepared.train(vector, seed, context);
        },
      };
    },
  };
  const slow = await swarm.add({ trainer });
  const { job } = await launch(swarm);
  await swarm.until(() => swarm.peers.every(({ node }) => node.job(job)?.phase === 'finished'));
  expect(seen).toContainEqual(progress);
  expect(slow.notices).toContainEqual({ kind: 'progress', round: 1, ...progress });
  expect(slow.node.job(job)!.progress).toBeUndefined();
});

test('where a job stands is told when it is known first, and when that changes', async () => {
  const swarm = await swarmOf(1);
  const launcher = swarm.peers[0]!;
  const owner = await swarm.add({ policy: nobody, match: { ok: false, reasons: ['of digits'] } });
  const { job } = await launch(swarm);
  const told = () => owner.standings.filter((each) => each.job === job).map(({ kind }) => kind);
  await swarm.until(() => told().length === 2);
  expect(owner.node.job(job)?.standing).toMatchObject({
    reason: expect.not.stringContaining('yet'),
  });
  await swarm.run(owner.node.approve(job));
  await swarm.run(owner.node.reconsider());
  owner.settings.match = { ok: true, dataset: 'mine' };
  await swarm.run(owner.node.reconsider());
  await swarm.run(owner.node.refuse(job));
  const asked = 'waiting-for-approval';
  expect(told()).toEqual([asked, asked, 'no-data', 'participating', 'refused']);
  expect(launcher.standings.at(-1)).toMatchObject({ job, kind: 'participating' });
});

test('a chain that is not read yet after a start is said to be so', async () => {
  const swarm = await swarmOf(3);
  const { job } = await launch(swarm);
  const peer = swarm.peers[1]!;
  const rounds = () => peer.node.job(job)?.certificates.length;
  await swarm.until(() => rounds() === 2);
  const told = peer.standings.length;
  await swarm.restart(peer);
  expect(peer.standings.at(told)).toMatchObject({ isRecovered: false, rounds: 0 });
  await swarm.until(() => peer.node.job(job)?.isRecovered === true);
  expect(rounds()).toBe(2);
});
