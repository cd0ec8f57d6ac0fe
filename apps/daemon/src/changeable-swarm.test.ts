import { ConfigError, type PeerId, utf8 } from '@starling/core';
import { createSwarm, type Swarm } from '@starling/swarm';
import { expect, onTestFinished, test } from 'vitest';
import { realParts, realRandom } from '../../../test/helpers/parts.ts';
import { testOptions } from '../../../test/helpers/swarm-options.ts';
import { testNode } from '../../../test/helpers/swarms.ts';
import { until } from '../../../test/helpers/until.ts';
import { ChangeableSwarm } from './changeable-swarm.ts';

const empty = new Uint8Array(0);

/** A node that is in `one` and may go to `two`, and a resident of each. */
async function scene() {
  const one = await testNode({ network: 'one' });
  const two = await testNode({ network: 'two' });
  const seed = realRandom.bytes(32);
  const enter = (network: string, { swarm }: { swarm: Swarm }) =>
    createSwarm(testOptions({ seed, network, bootstrap: swarm.addresses() }), realParts);
  const toOne = () => enter('one', one);
  const toTwo = () => enter('two', two);
  const traveller = new ChangeableSwarm(await toOne());
  onTestFinished(() => traveller.stop());
  await until(() => traveller.peers().length === 1);
  return { one: one.swarm, two: two.swarm, traveller, toOne, toTwo };
}

test('what was subscribed to and answered goes along to the next swarm', async () => {
  const { one, two, traveller, toOne, toTwo } = await scene();
  const changes: [PeerId, boolean][] = [];
  traveller.onPeerChange((peer, connected) => changes.push([peer, connected]));
  const heard: PeerId[] = [];
  const leave = traveller.subscribe('news', (_message, from) => heard.push(from));
  traveller.handle('/test/1', async ({ body }) => ({ header: empty, body }));

  await traveller.change(toTwo, toOne);
  await until(() => traveller.peers().includes(two.self));
  expect(changes).toEqual([
    [one.self, false],
    [two.self, true],
  ]);
  const parcel = { header: empty, body: utf8('echo') };
  const answer = await two.request(traveller.self, '/test/1', parcel, { timeoutMs: 5_000 });
  expect(answer.body).toEqual(utf8('echo'));
  await until(async () => {
    await two.publish('news', utf8(`at ${performance.now()}`));
    return heard.includes(two.self);
  });
  leave();
  expect(traveller.status().topics).toEqual([]);
  expect(traveller.status().network).toBe('two');
});

test('when the next swarm cannot be entered, it is the one before again', async () => {
  const { one, traveller, toOne } = await scene();
  const refuse = () => Promise.reject(new ConfigError('listen', 'taken'));
  const change = traveller.change(refuse, toOne);
  // Meanwhile nobody is reachable, and a second change has to wait.
  expect(traveller.peers()).toEqual([]);
  await expect(traveller.dial(one.addresses()[0]!)).rejects.toMatchObject({ code: 'unreachable' });
  await expect(traveller.change(toOne, toOne)).rejects.toMatchObject({ code: 'busy' });
  await traveller.publish('news', utf8('lost'));
  await expect(change).rejects.toThrow('taken');
  await until(() => traveller.peers().includes(one.self));
});
