import { randomBytes } from 'node:crypto';
import { type Clock, type Log, millis, type Random } from '@starling/core';
import { createSwarm, type Swarm } from '@starling/swarm';

export const clock: Clock = {
  now: () => millis(performance.now()),
  setTimer(after, fire) {
    const timer = setTimeout(fire, after);
    return () => clearTimeout(timer);
  },
};
export const random: Random = { bytes: (length) => new Uint8Array(randomBytes(length)) };
const log: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** Peers of one swarm in this process, on loopback, each connected to each. */
export async function connectedSwarms(peers: number): Promise<readonly Swarm[]> {
  const swarms: Swarm[] = [];
  for (let i = 0; i < peers; i++) {
    const [first] = swarms;
    const options = {
      ...{ seed: random.bytes(32), network: 'bench', mdns: false },
      ...{ listen: ['/ip4/127.0.0.1/tcp/0'], bootstrap: first?.addresses() ?? [] },
    };
    swarms.push(await createSwarm(options, { clock, random, log }));
  }
  for (const [i, swarm] of swarms.entries()) {
    for (const other of swarms.slice(i + 1)) await swarm.dial(other.addresses()[0]!);
  }
  return swarms;
}
