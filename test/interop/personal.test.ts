import { initialVector, VectorSplit } from '@starling/autodiff';
import { readModel } from '@starling/onnx';
import { expect, test } from 'vitest';
import { verifyModel } from '../../packages/models/src/index.ts';
import { Cluster } from './cluster.ts';

const WEIGHTS = { frozen: [], personal: ['fc3.*'] };
const ROUNDS = 2;

test('personal heads on live daemons: one body, and a head for each', async () => {
  const cluster = await Cluster.start(3);
  try {
    const training = { personal: ['fc3.*'] };
    const job = await cluster.launch(ROUNDS, { joinWindowSeconds: 1 }, { training });
    const views = await cluster.finished(job, ROUNDS);
    expect(new Set(views.map(({ stateHash }) => stateHash)).size).toBe(1);
    const split = new VectorSplit(readModel(cluster.model), WEIGHTS);
    const pull = async (personal: boolean) =>
      Promise.all(
        cluster.swarm.peers.map(async (peer) => {
          const pulled = await cluster.swarm.client(peer).pull(job, { personal });
          const file = new Uint8Array(Buffer.from(pulled.model, 'base64'));
          const proof = new Uint8Array(Buffer.from(pulled.proof, 'base64'));
          expect(verifyModel(file, proof)).toMatchObject({ ok: true });
          const whole = initialVector(readModel(file));
          return {
            body: Buffer.from(split.shared(whole).buffer).toString('base64'),
            head: Buffer.from(split.own(whole).buffer).toString('base64'),
          };
        }),
      );
    const [plain, own] = [await pull(false), await pull(true)];
    const launched = split.own(initialVector(readModel(cluster.model)));
    expect(new Set([...plain, ...own].map(({ body }) => body)).size).toBe(1);
    expect(new Set(plain.map(({ head }) => head))).toEqual(
      new Set([Buffer.from(launched.buffer).toString('base64')]),
    );
    expect(new Set([...plain, ...own].map(({ head }) => head)).size).toBe(4);
    const shared = await cluster.launch(1, { joinWindowSeconds: 1 });
    await cluster.finished(shared, 1);
    const [peer] = cluster.swarm.peers;
    await expect(cluster.swarm.client(peer!).pull(shared, { personal: true })).rejects.toThrow(
      'has no personal weights',
    );
  } finally {
    await cluster.stop();
  }
});
