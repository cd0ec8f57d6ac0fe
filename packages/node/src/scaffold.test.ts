import { decodeState, globalVariate } from '@starling/federation';
import { DEFAULT_AGGREGATION, DEFAULT_TRAINING, type Statement } from '@starling/protocol-rounds';
import type { PreparedJob, Trainer } from '@starling/rounds';
import { fromBitmap } from '@starling/secagg';
import { expect, onTestFinished, test } from 'vitest';
import {
  TEST_MODEL,
  type VirtualPeer,
  VirtualSwarm,
  virtualManifest,
} from '../../../test/helpers/virtual-swarm.ts';
import { fakeTrainer } from '../../sim/src/fake-trainer.ts';
import { Prng } from '../../sim/src/prng.ts';

const DIMENSION = 50;
const RATE = 0.05;

/** f(x) = curvature / 2 · ‖x − centre‖², with so many steps a round. */
interface Task {
  readonly curvature: number;
  readonly centre: number;
  readonly localSteps: number;
}
const TASKS: readonly Task[] = [
  { curvature: 1, centre: 2, localSteps: 10 },
  { curvature: 0.25, centre: -3, localSteps: 20 },
  { curvature: 0.5, centre: 1, localSteps: 5 },
  { curvature: 2, centre: -1, localSteps: 8 },
];

function updateOf(task: Task, start: ArrayLike<number>, control: ArrayLike<number>): number[] {
  const y = Array.from(start);
  for (let step = 0; step < task.localSteps; step++) {
    for (let i = 0; i < y.length; i++) {
      y[i]! -= RATE * (task.curvature * (y[i]! - task.centre) + control[i]!);
    }
  }
  return y.map((value, i) => value - start[i]!);
}

/** Trains by the quadratic, and keeps what control it was given. */
function quadraticTrainer(task: Task) {
  const fake = fakeTrainer(new Prng(1n));
  const seen: { readonly round: number; readonly control: Float32Array }[] = [];
  const trainer: Trainer = {
    ...fake,
    prepare: async (wanted) => {
      expect(wanted.control).toBe(true);
      const prepared: PreparedJob = {
        ...(await fake.prepare(wanted)),
        train: async (vector, _seed, context) => {
          const control = context!.control!;
          seen.push({ round: context!.round + 1, control });
          const update = Float32Array.from(updateOf(task, vector, control));
          const { localSteps } = task;
          return { update, norm: 1, trainingLoss: 1, localSteps, examples: 1 };
        },
      };
      return prepared;
    },
  };
  return { trainer, seen };
}

const manifest = (rounds: number) =>
  virtualManifest({
    training: { ...DEFAULT_TRAINING, batchSize: 1, learningRate: RATE },
    aggregation: {
      ...{ ...DEFAULT_AGGREGATION, phaseSeconds: 2, clippingNorm: 100 },
      ...{ algorithm: 'scaffold', referenceSteps: 10 },
    },
    stop: { rounds, target: null, seconds: 0 },
  });

async function swarmOf(seed: number) {
  const swarm = new VirtualSwarm(seed);
  onTestFinished(async () => {
    await swarm.stop();
    expect(swarm.fatal).toEqual([]);
  });
  return swarm;
}

const survivorsOf = ({ roster, survivors }: Statement) =>
  fromBitmap(survivors, roster.length)!.map((member) => roster[member]!);

async function stateAt(peer: VirtualPeer, { stateHash }: Statement) {
  return decodeState((await peer.blobs.get(stateHash))!);
}

/** The same job as the paper computes it, from who stands in the certificates. */
function replay(peers: readonly VirtualPeer[], statements: readonly Statement[]) {
  const zeros = () => new Array<number>(DIMENSION).fill(0);
  let [x, c] = [zeros(), zeros()];
  const own = peers.map(zeros);
  const controls: number[][][] = [];
  for (const statement of statements) {
    const who = survivorsOf(statement).map((id) => peers.findIndex(({ key }) => key.peerId === id));
    controls.push(own.map((each) => c.map((value, k) => value - each[k]!)));
    const mean = who.reduce((sum, i) => sum + TASKS[i]!.localSteps, 0) / who.length;
    const [perStep, deltaC] = [zeros(), zeros()];
    for (const i of who) {
      const { localSteps } = TASKS[i]!;
      const moved = updateOf(TASKS[i]!, x, controls.at(-1)![i]!);
      for (const [k, value] of moved.entries()) {
        const change = -c[k]! - value / (localSteps * RATE);
        perStep[k]! += value / localSteps / who.length;
        deltaC[k]! += change / who.length;
        own[i]![k]! += change;
      }
    }
    x = x.map((value, k) => value + mean * perStep[k]!);
    c = c.map((value, k) => value + deltaC[k]!);
  }
  return { x, c, controls };
}

const ROUNDS = 8;

test('a job is algorithm 1, and cᵢ outlasts a restart', async () => {
  const swarm = await swarmOf(3);
  const trainers = TASKS.map(quadraticTrainer);
  for (const { trainer } of trainers) await swarm.add({ trainer });
  await swarm.pass(1_000);
  const { peers } = swarm;
  const { job } = await swarm.run(peers[0]!.node.launch(manifest(ROUNDS), TEST_MODEL));
  const lengthOf = ({ node }: VirtualPeer) => node.job(job)?.certificates.length ?? 0;
  await swarm.until(() => peers.every((peer) => lengthOf(peer) >= 3));
  await swarm.restart(peers[3]!);
  const restarted = trainers[3]!.seen.length;
  await swarm.until(() => peers.every(({ node }) => node.job(job)?.phase === 'finished'));

  const statements = peers[3]!.node.job(job)!.certificates.map(({ statement }) => statement);
  const { x, c, controls } = replay(peers, statements);
  const last = await stateAt(peers[3]!, statements.at(-1)!);
  // The grid rounds every update by a part of a thousandth.
  for (const value of last.model) expect(value).toBeCloseTo(x[0]!, 1);
  for (const value of globalVariate(last)) expect(value).toBeCloseTo(c[0]!, 1);
  for (const [i, { seen }] of trainers.entries()) {
    expect(seen.length).toBeGreaterThan(0);
    for (const { round, control } of seen) {
      expect(Math.abs(control[0]! - controls[round - 1]![i]![0]!)).toBeLessThan(0.05);
    }
  }
  // Its first training behind the restart knew of what was certified before it.
  const { round, control } = trainers[3]!.seen[restarted]!;
  const before = await stateAt(peers[3]!, statements[round - 2]!);
  expect(Math.abs(control[0]! - globalVariate(before)[0]!)).toBeGreaterThan(0.1);
});

test('who stands in no sum has no variate, whatever it trained', async () => {
  const swarm = await swarmOf(4);
  const trainers = TASKS.map(quadraticTrainer);
  for (const { trainer } of trainers.slice(0, 3)) await swarm.add({ trainer });
  const { trainer, seen } = trainers[3]!;
  const company = { peers: [swarm.keyOf(99).peerId], least: 1 };
  const policy = { trust: { includes: () => true }, minPeers: 3, company };
  const loner = await swarm.add({ trainer, policy });
  await swarm.pass(1_000);
  const { job } = await swarm.run(loner.node.launch(manifest(5), TEST_MODEL));
  await swarm.until(() => swarm.peers.every(({ node }) => node.job(job)?.phase === 'finished'));
  const statements = loner.node.job(job)!.certificates.map(({ statement }) => statement);
  for (const statement of statements) {
    expect(survivorsOf(statement)).not.toContain(loner.key.peerId);
  }
  const late = seen.filter(({ round }) => round > 2);
  expect(late.length).toBeGreaterThan(0);
  for (const { round, control } of late) {
    const state = await stateAt(loner, statements[round - 2]!);
    expect(control).toEqual(globalVariate(state));
  }
});

test('a rate or an optimiser that has no variates is refused at launch', async () => {
  const swarm = await swarmOf(5);
  const { node } = await swarm.add();
  const { training, ...sound } = manifest(2);
  const faulty = { ...sound, training: { ...training, optimizer: 'adam' as const } };
  await expect(swarm.run(node.launch(faulty, TEST_MODEL))).rejects.toThrow(
    'aggregation.algorithm scaffold needs training.optimizer sgd',
  );
});
