import { peerIdOf } from '@starling/crypto';
import { MemoryJournal } from '@starling/store';
import { runTransportCompliance } from '../../../test/compliance/transport.ts';
import { realParts } from '../../../test/helpers/parts.ts';
import { testOptions } from '../../../test/helpers/swarm-options.ts';
import { until } from '../../../test/helpers/until.ts';
import { testSwarm } from '../../membership/src/testing/swarm-of.ts';
import { createSwarm, type Swarm, type SwarmOptions } from './index.ts';

/** Three nodes, all connected; `optionsOf` says what sets each apart. */
async function three(optionsOf: (index: number) => Promise<Partial<SwarmOptions>>) {
  const start = async (index: number, more: Partial<SwarmOptions> = {}): Promise<Swarm> =>
    createSwarm(testOptions({ ...(await optionsOf(index)), ...more }), realParts);
  const first = await start(0);
  const bootstrap = first.addresses();
  const rest = [1, 2].map((index) => start(index, { bootstrap }));
  const transports = [first, ...(await Promise.all(rest))];
  await until(() => transports.every((transport) => transport.peers().length === 2));
  return {
    transports,
    stranger: peerIdOf(new Uint8Array(32).fill(9)),
    lose: (transport: { readonly self: string }) =>
      transports.find(({ self }) => self === transport.self)!.stop(),
    close: async () => {
      await Promise.all(transports.map((transport) => transport.stop()));
    },
  };
}

runTransportCompliance('libp2p', () => three(async () => ({})));

runTransportCompliance('libp2p, in a private swarm', () => {
  const swarm = testSwarm(4);
  return three(async (index) => {
    const members = await swarm.open(index, new MemoryJournal());
    const seed = new Uint8Array(32).fill(swarm.seeds[index]!);
    return { seed, network: members.network, members };
  });
});
