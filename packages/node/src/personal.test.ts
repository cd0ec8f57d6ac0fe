import { decodeState } from '@starling/federation';
import { DEFAULT_TRAINING } from '@starling/protocol-rounds';
import type { Trainer } from '@starling/rounds';
import { expect, onTestFinished, test } from 'vitest';
import {
  TEST_MODEL,
  type VirtualPeer,
  VirtualSwarm,
  virtualManifest,
} from '../../../test/helpers/virtual-swarm.ts';
import { fakeTrainer } from '../../sim/src/fake-trainer.ts';
import { Prng } from '../../sim/src/prng.ts';

/** What a peer trains for itself: its mark, and how often it did. */
const WIDTH = 8;

/** Trains a mark that is the peer's own one step further each time; fails in rounds of `fails`. */
function markingTrainer(mark: number, fails: readonly number[] = []) {
  const fake = fakeTrainer(new Prng(BigInt(mark)));
  const seen: { trained: number[]; evaluated: number[] } = { trained: [], evaluated: [] };
  const stepsIn = (personal: Float32Array | undefined) => personal?.[1] ?? 0;
  const trainer: Trainer = {
    ...fake,
    prepare: async (wanted) => {
      const prepared = await fake.prepare(wanted);
      return {
        ...prepared,
        train: async (vector, seed, context) => {
          const steps = stepsIn(context?.personal);
          seen.trained.push(steps);
          if (fails.includes(seen.trained.length)) throw new Error('the lights went out');
          const update = await prepared.train(vector, seed, context);
          return { ...update, personal: new Float32Array(WIDTH).fill(mark).fill(steps + 1, 1, 2) };
        },
        evaluate: async (vector, examplesMax, personal) => {
          seen.evaluated.push(stepsIn(personal));
          return prepared.evaluate(vector, examplesMax);
        },
      };
    },
  };
  return { trainer, seen };
}

const manifest = (rounds: number) =>
  virtualManifest({
    training: { ...DEFAULT_TRAINING, personal: ['head.*'] },
    stop: { rounds, target: null, seconds: 0 },
  });

async function swarmOf(trainers: readonly { readonly trainer: Trainer }[]) {
  const swarm = new VirtualSwarm(6);
  onTestFinished(async () => {
    await swarm.stop();
    expect(swarm.fatal).toEqual([]);
  });
  for (const { trainer } of trainers) await swarm.add({ trainer });
  await swarm.pass(1_000);
  return swarm;
}

/** Whether any blob on a peer's disk has these bytes in it. */
async function holds({ blobs }: VirtualPeer, values: Float32Array): Promise<boolean> {
  const wanted = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  for await (const hash of blobs.list()) {
    if (Buffer.from((await blobs.get(hash))!).includes(wanted)) return true;
  }
  return false;
}

test('each peer goes on from its own weights, and nobody else gets them [R-58]', async () => {
  const trainers = [3, 4, 5, 7].map((mark) => markingTrainer(mark));
  const swarm = await swarmOf(trainers);
  const { peers } = swarm;
  const { job } = await swarm.run(peers[0]!.node.launch(manifest(6), TEST_MODEL));
  const lengthOf = ({ node }: VirtualPeer) => node.job(job)?.certificates.length ?? 0;
  await swarm.until(() => peers.every((peer) => lengthOf(peer) >= 3));
  await swarm.restart(peers[3]!);
  await swarm.until(() => peers.every(({ node }) => node.job(job)?.phase === 'finished'));
  for (const [i, { seen }] of trainers.entries()) {
    // Every training began where the one before it had ended, and was scored there.
    expect(seen.trained).toEqual(seen.trained.map((_, at) => at));
    expect(seen.evaluated).toEqual(seen.trained);
    const own = (await swarm.run(peers[i]!.node.personal(job)))!;
    expect([own[0], own[1], own.length]).toEqual([[3, 4, 5, 7][i], seen.trained.length, WIDTH]);
    const holders = await Promise.all(peers.map((peer) => holds(peer, own)));
    expect(holders).toEqual(peers.map((_, peer) => peer === i));
  }
  const { stateHash } = peers[0]!.node.job(job)!.certificates.at(-1)!.statement;
  expect(decodeState((await peers[0]!.blobs.get(stateHash))!).model).toHaveLength(50);
});

test('a training that breaks off leaves what was there before', async () => {
  const trainers = [3, 4, 5].map((mark) => markingTrainer(mark));
  const weak = markingTrainer(7, [2]);
  const swarm = await swarmOf([...trainers, weak]);
  const { job } = await swarm.run(swarm.peers[0]!.node.launch(manifest(4), TEST_MODEL));
  await swarm.until(() => swarm.peers.every(({ node }) => node.job(job)?.phase === 'finished'));
  expect(weak.seen.trained.slice(0, 3)).toEqual([0, 1, 1]);
});

test('before its first training a peer has none', async () => {
  const swarm = await swarmOf([]);
  const { node } = await swarm.add({ match: { ok: false, reasons: ['no such data'] } });
  const { job } = await swarm.run(node.launch(manifest(1), TEST_MODEL));
  await swarm.pass(1_000);
  expect(await swarm.run(node.personal(job))).toBeUndefined();
});
