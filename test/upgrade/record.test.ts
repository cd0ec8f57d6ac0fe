import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from '../helpers/until.ts';
import { LoggedDaemon } from '../observability/daemon.ts';
import { addData, launch, trained } from '../observability/ward.ts';
import { contentOf, copyState, RECORDED } from './state.ts';

/** Name of the recording (test/fixtures/README.md); nothing is recorded without. */
const name = process.env['STARLING_RECORD_UPGRADE'];
const YEARS = 365 * 86_400;

test.skipIf(name === undefined)('records a state directory of this version', async () => {
  const admin = await LoggedDaemon.start({});
  const { peerId } = await admin.client.status();
  const others = [await LoggedDaemon.start({}), await LoggedDaemon.start({})];
  await admin.client.swarm.create({ name: 'ward' });
  for (const { client } of others) {
    const { invite } = await admin.client.swarm.invite({ memberSeconds: 3 * YEARS });
    await client.swarm.join(invite);
    await client.changePolicy({ trust: [peerId] });
  }
  const daemons = [admin, ...others];
  await until(async () => (await admin.client.status()).peers.length === 2, 30_000, 'the mesh');
  for (const daemon of daemons) await addData(daemon);
  const { job } = await launch(admin, 3);
  await trained(daemons, job);
  const noisy = { mechanism: 'distributed-gaussian', noiseMultiplier: 4 } as const;
  await trained(daemons, (await launch(admin, 2, { privacy: noisy })).job);
  const [, volunteer] = daemons;
  await volunteer!.client.changePolicy({ minPeers: 3, worseMax: 5 });
  const content = await contentOf(volunteer!.client);
  expect(content.jobs).toHaveLength(2);
  expect(content.privacy[0]?.jobs).toHaveLength(1);
  for (const daemon of daemons) await daemon.stop();
  const folder = join(RECORDED, name!);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await copyState(volunteer!.state, join(folder, 'state'));
  await writeFile(join(folder, 'content.json'), `${JSON.stringify(content, null, 2)}\n`);
});
