import { createSwarm } from '@starling/swarm';
import { realParts } from '../parts.ts';
import { testOptions } from '../swarm-options.ts';

/** A peer to be killed: answers `/test/hang/1` never and `/test/large/1` with 64 MiB. */
const swarm = await createSwarm(testOptions(), realParts);
swarm.handle('/test/hang/1', () => {
  process.stdout.write('asked\n');
  return new Promise(() => {});
});
swarm.handle('/test/large/1', async () => ({
  header: new Uint8Array(0),
  body: new Uint8Array(64 * 1024 * 1024),
}));
swarm.subscribe('news', () => {});
process.stdout.write(`${swarm.addresses()[0]}\n`);
