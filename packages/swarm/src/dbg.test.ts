import { test } from 'vitest';
import { fullyMeshed, testNodes } from '../../../test/helpers/swarms.ts';
import { peerOf } from './identity.ts';

test.for([1, 2, 3])('dbg %i', { timeout: 120000 }, async () => {
  const nodes = await testNodes(14);
  for (const { swarm } of nodes) swarm.subscribe('news', () => {});
  const t0 = performance.now();
  await fullyMeshed(nodes, 60_000);
  console.log('meshed', (performance.now() - t0) | 0);
  const name = new Map(nodes.map((n, i) => [n.swarm.self as string, i]));
  for (let k = 0; k < 30; k++) {
    await new Promise((r) => setTimeout(r, 1000));
    const bad: string[] = [];
    for (const [i, n] of nodes.entries()) {
      const t = n.swarm.status().topics[0]!;
      if (t.subscribers !== 13) {
        const subs = new Set(
          n.node.services.pubsub
            .getSubscribers('/starling/test/news')
            .map((p) => name.get(p.toString())),
        );
        for (let j = 0; j < 14; j++)
          if (j !== i && !subs.has(j)) {
            const conns = n.node
              .getConnections()
              .filter((c) => name.get(c.remotePeer.toString()) === j);
            const back = nodes[j]!.node.getConnections().filter(
              (c) => peerOf(c.remotePeer) === n.swarm.self,
            );
            bad.push(
              `${i} lacks ${j}: ` +
                conns
                  .map(
                    (c) =>
                      c.direction +
                      ' ' +
                      c.streams
                        .filter((s) => s.protocol.includes('meshsub'))
                        .map((s) => s.direction + s.status),
                  )
                  .join('|') +
                '  back ' +
                back
                  .map(
                    (c) =>
                      c.direction +
                      ' ' +
                      c.streams
                        .filter((s) => s.protocol.includes('meshsub'))
                        .map((s) => s.direction + s.status),
                  )
                  .join('|'),
            );
          }
      }
      if (t.mesh === 0) bad.push(`${i} mesh 0`);
    }
    console.log(k, bad.length, bad.slice(0, 4).join('\n'));
    if (bad.length === 0) break;
  }
});
