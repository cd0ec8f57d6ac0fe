import { peerIdOf } from '@starling/crypto';
import { runTransportCompliance } from '../../../test/compliance/transport.ts';
import { realParts } from '../../../test/helpers/parts.ts';
import { testOptions } from '../../../test/helpers/swarm-options.ts';
import { until } from '../../../test/helpers/until.ts';
import { createSwarm } from './index.ts';

runTransportCompliance('libp2p', async () => {
  const first = await createSwarm(testOptions(), realParts);
  const bootstrap = first.addresses();
  const rest = [0, 1].map(() => createSwarm(testOptions({ bootstrap }), realParts));
  const transports = [first, ...(await Promise.all(rest))];
  await until(() => transports.every((transport) => transport.peers().length === 2));
  return {
    transports,
    stranger: peerIdOf(new Uint8Array(32).fill(9)),
    lose: (transport) => transports.find(({ self }) => self === transport.self)!.stop(),
    close: async () => {
      await Promise.all(transports.map((transport) => transport.stop()));
    },
  };
});
