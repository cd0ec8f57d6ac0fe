import type { SwarmOptions, SwarmParts } from '@starling/swarm';
import { onTestFinished } from 'vitest';
import { assembleSwarm } from '../../packages/swarm/src/swarm.ts';
import { realParts } from './parts.ts';
import { testOptions } from './swarm-options.ts';
import { until } from './until.ts';

export type TestNode = Awaited<ReturnType<typeof assembleSwarm>>;

/** A node that is stopped when the test ends. */
export async function testNode(
  more: Partial<SwarmOptions> = {},
  parts: Partial<SwarmParts> = {},
): Promise<TestNode> {
  const started = await assembleSwarm(testOptions(more), { ...realParts, ...parts });
  onTestFinished(() => started.swarm.stop());
  return started;
}

/** `count` nodes that know only the first, stopped when the test ends. */
export async function testNodes(
  count: number,
  more: Partial<SwarmOptions> = {},
): Promise<TestNode[]> {
  const first = await testNode(more);
  const bootstrap = first.swarm.addresses();
  const rest = Array.from({ length: count - 1 }, () => testNode({ ...more, bootstrap }));
  return [first, ...(await Promise.all(rest))];
}

/** Waits until every node is connected to every other. */
export async function fullyMeshed(nodes: readonly TestNode[], timeoutMs = 15_000): Promise<void> {
  await until(
    () => nodes.every(({ swarm }) => swarm.peers().length === nodes.length - 1),
    timeoutMs,
    'a full mesh',
  );
}
