import type { Certificate } from '@starling/protocol-rounds';
import type { Policy, Trainer } from '@starling/rounds';
import { expect, onTestFinished, test } from 'vitest';
import {
  TEST_MODEL,
  type VirtualPeer,
  VirtualSwarm,
  virtualManifest,
} from '../../../test/helpers/virtual-swarm.ts';
import { fakeTrainer } from '../../sim/src/fake-trainer.ts';
import { Prng } from '../../sim/src/prng.ts';

const CAREFUL: Policy = { trust: { includes: () => true }, minPeers: 3, worseMax: 2 };

/** Finds every model but the launched one `times` as bad, as often as it is asked to. */
function judge(seed: bigint, times: number, looks = Number.POSITIVE_INFINITY): Trainer {
  const trainer = fakeTrainer(new Prng(seed));
  let left = looks;
  const lossOf = (vector: Float32Array): number => {
    if (vector.every((weight) => weight === 0)) return 10;
    return left-- > 0 ? 10 * times : 10;
  };
  return {
    ...trainer,
    prepare: async (job) => ({
      ...(await trainer.prepare(job)),
      evaluate: async (vector) => ({ lossSum: lossOf(vector), correct: 5, examples: 10 }),
    }),
  };
}

async function swarmOf(trainers: readonly Trainer[], stop = 1) {
  const swarm = new VirtualSwarm(5);
  for (const trainer of trainers) await swarm.add({ policy: CAREFUL, trainer });
  await swarm.pass(1_000);
  onTestFinished(async () => {
    await swarm.stop();
    expect(swarm.fatal).toEqual([]);
  });
  const manifest = virtualManifest({ stop: { rounds: stop, target: null, seconds: 0 } });
  const { job } = await swarm.run(swarm.peers[0]!.node.launch(manifest, TEST_MODEL));
  const chains = () => swarm.peers.map(({ node }) => node.job(job)!.certificates);
  return { swarm, chains };
}

const withheldBy = ({ notices }: VirtualPeer) => notices.filter(({ kind }) => kind === 'withheld');

test('who finds a model much worse does not sign it; a quorum of others is enough', async () => {
  const trainers = [judge(1n, 1), judge(2n, 1.9), judge(3n, 1), judge(4n, 2.1)];
  const { swarm, chains } = await swarmOf(trainers);
  await swarm.until(() => chains().every((chain) => chain.length === 1));
  const careful = swarm.peers[3]!;
  expect(withheldBy(careful)).toEqual([
    expect.objectContaining({
      round: 1,
      reason: expect.stringContaining('from 1.00 to 2.10, more than 2 times as much'),
    }),
  ]);
  expect(swarm.peers.slice(0, 3).flatMap(withheldBy)).toEqual([]);
  const [{ statement, signatures }] = chains()[0] as [Certificate];
  const member = statement.roster.indexOf(careful.key.peerId);
  expect(signatures.map((each) => each.member)).not.toContain(member);
});

test('without a quorum the round is trained anew, and certified when it is better', async () => {
  const trainers = [1n, 2n, 3n, 4n].map((seed) => judge(seed, 5, 1));
  const { swarm, chains } = await swarmOf(trainers);
  await swarm.until(() => chains().every((chain) => chain.length === 1));
  for (const peer of swarm.peers) {
    expect(withheldBy(peer)).toHaveLength(1);
    expect(peer.notices).toContainEqual(
      expect.objectContaining({ kind: 'burnt', reason: 'certificate-missing' }),
    );
  }
  expect(chains()[0]![0]!.statement.restarts).toBeGreaterThan(0);
});
