import { expect, test } from 'vitest';
import { type FaultyProxy, faultyProxy } from '../helpers/faulty-proxy.ts';
import { freePort } from '../helpers/free-port.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { until } from '../helpers/until.ts';
import { Daemons, launchAt, rounded, type TestDaemon } from './daemons.ts';

const isFull = process.env['STARLING_TEST_SIZE'] === 'full';
const PEERS = 4;
const ROUNDS = 3;
/** Each way, of what somebody sends to a peer's proxy. */
const DELAY_MS = 80;
/** Of the connections, each after at most 256 KiB: a round moves more. */
const LOSS = 0.05;

test.skipIf(!isFull)('a swarm trains over 80 ms of delay while connections are lost', async () => {
  const daemons = new Daemons(await temporaryDirectory());
  try {
    const bootstrap: string[] = [];
    const all: TestDaemon[] = [];
    const proxies: FaultyProxy[] = [];
    for (let i = 0; i < PEERS; i++) {
      const port = await freePort();
      const proxy = await faultyProxy({
        target: { port },
        faults: { delayMs: DELAY_MS, lossRate: LOSS },
        seed: i + 1,
      });
      proxies.push(proxy);
      const address = `/ip4/127.0.0.1/tcp/${proxy.port}`;
      all.push(
        await daemons.start(`peer-${i}`, {
          network: 'lossy',
          // What is announced is the proxy: nobody hears of the peer's own port.
          listen: [`/ip4/127.0.0.1/tcp/${port}`],
          announce: [address],
          bootstrap: [...bootstrap],
        }),
      );
      bootstrap.push(address);
    }
    for (const [i, daemon] of all.entries()) await daemons.addData(daemon, i);
    await until(async () => {
      const states = await Promise.all(all.map(({ client }) => client.status()));
      return states.every(({ peers }) => peers.length === PEERS - 1);
    });
    const since = performance.now();
    const job = await launchAt(all, ROUNDS);
    // Few connections last long, so that few would be lost: a line that is cut now and then.
    const cutting = setInterval(() => {
      const proxy = proxies[Math.floor(performance.now() / 3_000) % PEERS]!;
      proxy.resetAll();
    }, 3_000);
    const views = await rounded(all, job, ROUNDS).finally(() => clearInterval(cutting));
    const seconds = ((performance.now() - since) / 1000).toFixed(1);
    const sum = (key: 'connections' | 'reset' | 'bytes') =>
      proxies.reduce((total, { counts }) => total + counts[key], 0);
    console.log(
      `${ROUNDS} rounds of ${PEERS} peers over ${DELAY_MS} ms each way in ${seconds} s: ` +
        `${sum('connections')} connections, ${sum('reset')} of them lost, ` +
        `${(sum('bytes') / 1e6).toFixed(1)} MB`,
    );
    expect(new Set(views.map(({ rounds }) => rounds[ROUNDS - 1]!.stateHash)).size).toBe(1);
    expect(sum('reset')).toBeGreaterThan(0);
  } finally {
    await daemons.stop();
  }
});
