import { expect, test } from 'vitest';
import { TEST_MODEL, VirtualSwarm, virtualManifest } from '../../../test/helpers/virtual-swarm.ts';
import { Catalogue } from './catalogue.ts';

test('a kept job of another version is left out, and the others go on', async () => {
  const swarm = new VirtualSwarm(31);
  for (let i = 0; i < 3; i++) await swarm.add();
  const [peer] = swarm.peers;
  const { job } = await swarm.run(peer!.node.launch(virtualManifest(), TEST_MODEL));
  await swarm.until(() => peer!.node.job(job)?.phase === 'finished');
  const catalogue = new Catalogue(peer!.journal);
  const [kept] = await catalogue.all();
  // A field less, as in an older manifest; and one whose signature is over another label.
  await catalogue.add('11'.repeat(32) as typeof job, kept!.manifest.slice(0, -1));
  const spoilt = kept!.manifest.slice();
  spoilt[spoilt.length - 1]! ^= 1;
  await catalogue.add('22'.repeat(32) as typeof job, spoilt);
  await swarm.restart(peer!);
  await swarm.until(() => peer!.node.job(job)?.phase === 'finished');
  expect(peer!.node.jobs().map((each) => each.job.id)).toEqual([job]);
  expect(await catalogue.all()).toHaveLength(3);
});
