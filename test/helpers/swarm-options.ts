import type { SwarmOptions } from '@starling/swarm';
import { realRandom } from './parts.ts';

/** Options of a node on loopback with a fresh identity; short waits, so that tests do not drag. */
export function testOptions(more: Partial<SwarmOptions> = {}): SwarmOptions {
  return {
    seed: realRandom.bytes(32),
    network: 'test',
    listen: ['/ip4/127.0.0.1/tcp/0'],
    redial: { firstMs: 200, maxMs: 1_000 },
    ...more,
  };
}
