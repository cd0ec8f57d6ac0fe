import { test } from 'vitest';
import { testNode } from '../../../test/helpers/swarms.ts';
test('dbg', { timeout: 200000 }, async () => {
  const reasons = new Map<string, number>();
  const first = await testNode();
  const bootstrap = first.swarm.addresses();
  const nodes = [first, ...(await Promise.all(Array.from({ length: 15 }, () => testNode({ bootstrap }))))];
  let opened = 0;
  const name = new Map(nodes.map((n, i) => [n.swarm.self as string, i]));
  for (const n of nodes) {
    n.swarm.subscribe('news', () => {});
    n.node.addEventListener('connection:open', ({ detail }) => {
      opened++;
      detail.addEventListener('close', (e) => {
        const k = `${detail.direction} ${e.local ? 'local' : 'remote'} ${(e.error?.message ?? 'clean').replace(/12D3\w+/, 'X')}`;
        reasons.set(k, (reasons.get(k) ?? 0) + 1);
      });
    });
  }
  const t0 = performance.now();
  for (let k = 0; k < 20; k++) {
    await new Promise((r) => setTimeout(r, 5000));
    const done = nodes.every(({ swarm }) => swarm.peers().length === 15);
    console.log('AT', (performance.now() - t0) | 0, done, 'opened ends', opened, JSON.stringify([...reasons]));
    console.log(nodes.map((n) => n.swarm.peers().length + '/' + n.swarm.status().knownPeers).join(' '));
    for (const [i, n] of nodes.entries()) {
      const here = new Set(n.swarm.peers());
      for (const m of nodes) if (m !== n && !here.has(m.swarm.self)) {
        const j = name.get(m.swarm.self)!;
        const conns = n.node.getConnections(m.node.peerId).map((c) => `${c.direction} ${c.status} ${(Date.now() - c.timeline.open) | 0}ms`);
        const back = m.node.getConnections(n.node.peerId).map((c) => `${c.direction} ${c.status}`);
        const un = n.swarm.status().unreachable.find((u) => u.peer === m.swarm.self);
        if (i < 0) console.log(`  ${i} lacks ${j}`, conns, back, un?.failures, un?.lastError.replace(/12D3\w+/g, 'X'));
      }
    }
    if (done) break;
  }
});
