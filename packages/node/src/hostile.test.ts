import { encodeCanonical, type JobId, type Transport, utf8 } from '@starling/core';
import { hashHex, type SigningKey } from '@starling/crypto';
import { BLOBS_PROTOCOL } from '@starling/protocol-blobs';
import {
  jobsTopic,
  jobTopic,
  type Manifest,
  SYNC_PROTOCOL,
  type SyncRequest,
  signManifest,
  syncAnswerCodec,
} from '@starling/protocol-rounds';
import { CHUNK_PROTOCOL } from '@starling/protocol-secagg';
import { expect, onTestFinished, test } from 'vitest';
import { TEST_MODEL, VirtualSwarm, virtualManifest } from '../../../test/helpers/virtual-swarm.ts';
import { seededRandom } from '../../sim/src/prng.ts';
import { askSync } from './sync-client.ts';

const EMPTY = new Uint8Array(0);

interface Scene {
  readonly swarm: VirtualSwarm;
  /** A peer that speaks for itself. */
  readonly rogue: Transport;
  readonly key: SigningKey;
}

async function sceneOf(peers: number): Promise<Scene> {
  const swarm = new VirtualSwarm(9);
  for (let i = 0; i < peers; i++) await swarm.add();
  const key = swarm.keyOf(99);
  const rogue = swarm.bare(key);
  rogue.handle(BLOBS_PROTOCOL, () => Promise.reject(new Error('serves nothing')));
  rogue.handle(SYNC_PROTOCOL, () => Promise.reject(new Error('answers nothing')));
  await swarm.pass(1_000);
  onTestFinished(() => swarm.stop());
  return { swarm, rogue, key };
}

/** Manifests that no node may take, each for a reason of its own. */
function badManifests({ key, swarm }: Scene): readonly Uint8Array[] {
  const good = signManifest(virtualManifest(), key);
  const forged = good.slice();
  forged[forged.length - 1]! ^= 1;
  const { admission, aggregation, training } = virtualManifest();
  const outOfRange: readonly Partial<Manifest>[] = [
    { admission: { ...admission, minPeers: 1 } },
    { admission: { ...admission, joinWindowSeconds: 0 } },
    { aggregation: { ...aggregation, ringBits: 3 } },
    { aggregation: { ...aggregation, phaseSeconds: -1 } },
    { training: { ...training, learningRate: -1 } },
    { stop: { rounds: 0, target: null, seconds: 0 } },
  ];
  const stranger = swarm.keyOf(98);
  const stolen = Buffer.from(good);
  stolen.write(Buffer.from(stranger.publicKey).toString('latin1'), good.length - 98, 'latin1');
  return [
    EMPTY,
    utf8('garbage'),
    seededRandom(1, 2, 3).bytes(5_000),
    good.subarray(0, good.length - 1),
    new Uint8Array([...good, 0]),
    forged,
    new Uint8Array(stolen),
    ...outOfRange.map((changes) => signManifest(virtualManifest(changes), key)),
    // Well made, but of a model that nobody has.
    signManifest(virtualManifest({ model: hashHex(utf8('nowhere')) as never }), key),
  ];
}

test('forged, impossible and garbled manifests are ignored, and the node lives', async () => {
  const scene = await sceneOf(3);
  const { swarm, rogue } = scene;
  for (const manifest of badManifests(scene)) await swarm.run(rogue.publish(jobsTopic, manifest));
  await swarm.pass(600_000);
  for (const { node } of swarm.peers) expect(node.jobs()).toEqual([]);
  expect(swarm.fatal).toEqual([]);

  const [{ node }] = swarm.peers as [(typeof swarm.peers)[number]];
  const { job } = await swarm.run(node.launch(virtualManifest(), TEST_MODEL));
  await swarm.until(() => swarm.peers.every((peer) => peer.node.job(job)?.phase === 'finished'));
  expect(swarm.fatal).toEqual([]);
});

test('`hold` says why it does not take such a manifest', async () => {
  const scene = await sceneOf(1);
  const { swarm, rogue } = scene;
  const to = swarm.peers[0]!.key.peerId;
  for (const manifest of badManifests(scene).filter(({ length }) => length > 0)) {
    const request: SyncRequest = { kind: 'hold', manifest };
    const answer = await swarm.run(askSync({ transport: rogue }, to, request, 600_000));
    expect(answer.kind).toBe('refused');
    expect('reason' in answer && answer.reason.length).toBeGreaterThan(0);
  }
  expect(swarm.fatal).toEqual([]);
});

test('a refused manifest in a list of jobs does not hide those behind it', async () => {
  const scene = await sceneOf(0);
  const { swarm, rogue, key } = scene;
  const good = signManifest(virtualManifest(), swarm.keyOf(97));
  rogue.handle(SYNC_PROTOCOL, async () => {
    const manifests = [...badManifests(scene).filter(({ length }) => length > 0), good];
    return { header: EMPTY, body: encodeCanonical(syncAnswerCodec, { kind: 'jobs', manifests }) };
  });
  const peer = await swarm.add();
  await peer.blobs.put(TEST_MODEL);
  await swarm.until(() => peer.node.jobs().length > 0);
  expect(peer.node.jobs().map(({ job }) => job.id)).toEqual([hashHex(good)]);
  expect(peer.node.jobs()[0]!.job.launcher).not.toBe(key.peerId);
  expect(swarm.fatal).toEqual([]);
});

test('garbage on a job’s topic and on every protocol does not end a node [R-25]', async () => {
  const { swarm, rogue } = await sceneOf(3);
  const [{ node }] = swarm.peers as [(typeof swarm.peers)[number]];
  const { job } = await swarm.run(node.launch(virtualManifest(), TEST_MODEL));
  const random = seededRandom(4, 5, 6);
  const protocols = [SYNC_PROTOCOL, CHUNK_PROTOCOL, BLOBS_PROTOCOL];
  for (let i = 0; i < 40; i++) {
    await swarm.run(rogue.publish(jobTopic(job as JobId), random.bytes(1 + i * 50)));
    const parcel = { header: random.bytes(i), body: random.bytes(i * 10) };
    for (const protocol of protocols) {
      const asked = rogue.request(swarm.peers[i % 3]!.key.peerId, protocol, parcel, {
        timeoutMs: 1_000,
      });
      await expect(swarm.run(asked)).rejects.toThrow();
    }
  }
  await swarm.until(() => swarm.peers.every((peer) => peer.node.job(job)?.phase === 'finished'));
  const ends = swarm.peers.map((peer) => peer.node.job(job)!.certificates.at(-1)!.statement);
  expect(new Set(ends.map(({ stateHash }) => stateHash)).size).toBe(1);
  expect(swarm.fatal).toEqual([]);
});
