import { createInference } from '@starling/trainer';
import { expect, test } from 'vitest';
import { silentLog } from '../helpers/parts.ts';
import { until } from '../helpers/until.ts';
import { Cluster } from './cluster.ts';

const ROUNDS = 3;
const childEntry = new URL('../../apps/cli/dist/inference-child.js', import.meta.url);

const isFull = process.env['STARLING_TEST_SIZE'] === 'full';

test.runIf(isFull)(
  'a served job is followed: each certified round takes over, and no question is lost',
  async () => {
    const cluster = await Cluster.start(3);
    const inference = createInference({ childEntry, log: silentLog });
    try {
      const [server, asker] = cluster.swarm.peers.map((peer) => cluster.swarm.client(peer));
      const job = await cluster.launch(ROUNDS);
      const options = { swarm: true, device: 'cpu' } as const;
      const source = { kind: 'job', job } as const;
      const before = await server!.serving.serve({ name: 'digits', source, options });
      expect(before).toMatchObject({ version: null, problem: 'there is no certified model yet' });

      const { peerId: peer } = await server!.status();
      const bytes = Buffer.from(new Float32Array(784).fill(0.25).buffer);
      const input = { name: 'input', dtype: 'float32', shape: [1, 784] } as const;
      const inputs = [{ ...input, shape: [1, 784], data: bytes.toString('base64') }];
      const ask = () => asker!.serving.askPeer({ peer, model: 'digits', inputs });
      const first = await until(() => ask().catch(() => undefined), 120_000, 'a first answer');
      const versions = [first.version];
      let last = first;
      // From here on every question is answered, whatever is swapped meanwhile.
      await until(async () => {
        last = await ask();
        versions.push(last.version);
        return last.version === String(ROUNDS);
      }, 120_000);
      expect(versions.map(Number)).toEqual(versions.map(Number).toSorted((a, b) => a - b));

      await cluster.finished(job, ROUNDS);
      const pulled = await server!.pull(job);
      expect(pulled.round).toBe(ROUNDS);
      const engine = await inference.open(Buffer.from(pulled.model, 'base64'));
      const [own] = await engine.run([{ ...input, pieces: [bytes] }]);
      expect(last.outputs[0]!.data).toBe(Buffer.from(own!.bytes).toString('base64'));
      const [served] = (await server!.serving.list()).models;
      expect(served).toMatchObject({ from: 'job test', version: String(ROUNDS), problem: null });
      expect(served!.swaps).toBeGreaterThanOrEqual(new Set(versions).size - 1);
    } finally {
      await inference.close();
      await cluster.stop();
    }
  },
);
