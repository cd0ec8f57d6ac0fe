import { utf8 } from '@starling/core';
import { expect, test } from 'vitest';
import { fullyMeshed, testNodes } from '../../../test/helpers/swarms.ts';
import { until } from '../../../test/helpers/until.ts';

/** Five seconds on two idle cores; the machine may be busy. */
const PATIENCE_MS = 120_000;

test('fourteen nodes on one address that know one of them all meet and all hear', async () => {
  const nodes = await testNodes(14);
  const heard = nodes.map(() => new Set<string>());
  for (const [i, { swarm }] of nodes.entries()) {
    swarm.subscribe('news', (message) => heard[i]!.add(new TextDecoder().decode(message)));
  }
  await fullyMeshed(nodes, PATIENCE_MS);
  const others = nodes.length - 1;
  // With gossipsub's default weight for peers on one address every mesh would be empty.
  const ready = (): boolean =>
    nodes.every(({ swarm }) => {
      const [topic] = swarm.status().topics;
      return topic?.subscribers === others && topic.mesh > 0;
    });
  await until(ready, PATIENCE_MS, 'a gossip mesh');
  for (const [i, { swarm }] of nodes.entries()) await swarm.publish('news', utf8(`from ${i}`));
  await until(() => heard.every(({ size }) => size === others), PATIENCE_MS, 'delivery');
  const bootstrap = nodes.flatMap(({ swarm }) => swarm.status().bootstrap);
  expect(bootstrap).toHaveLength(others);
  expect(bootstrap.filter(({ connected }) => !connected)).toEqual([]);
}, 400_000);
