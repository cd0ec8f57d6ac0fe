import { expect, onTestFinished, test } from 'vitest';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import { controlSocket, createControlClient, createControlServer, type Revoke } from './index.ts';
import { harmless } from './testing/handlers.ts';
import { INVITE, MEMBER, SWARM, swarmHandlers, VOUCH } from './testing/swarm-handlers.ts';

async function running() {
  const seen: unknown[] = [];
  const socket = controlSocket(await temporaryDirectory());
  const handlers = harmless({ swarm: swarmHandlers(seen) });
  const server = await createControlServer(socket, handlers);
  onTestFinished(() => server.close());
  return { seen, client: createControlClient(socket).swarm };
}
const PEER = '12D3KooWRndVhVZPCiQwHBBBdg769GyrPUW13zxwqQyf9r3ANaba';

test('every route of the swarm answers what its handler answered', async () => {
  const { client } = await running();
  expect(await client.show()).toEqual(SWARM);
  expect(await client.create({ name: 'ward-7' })).toEqual(SWARM);
  expect(await client.invite({})).toEqual(INVITE);
  expect(await client.sign('starling1-x')).toEqual(INVITE);
  expect(await client.join('starling1-x')).toEqual(SWARM);
  expect(await client.members()).toEqual([MEMBER]);
  expect(await client.revoke({ peer: PEER })).toMatchObject({ target: PEER, revoked: true });
  expect(await client.vouch({ peer: PEER, until: 1_800_000_000 })).toEqual(VOUCH);
  expect(await client.vouches()).toEqual([VOUCH]);
  expect(await client.leave()).toEqual(SWARM);
});

test('what is left out has its default', async () => {
  const { client, seen } = await running();
  await client.create({ name: 'ward-7' });
  await client.invite({});
  await client.join('starling1-x', ['/ip4/192.0.2.7/tcp/1']);
  await client.revoke({ peer: PEER });
  expect(seen).toEqual([
    { name: 'ward-7', public: false, preSharedKey: true, admins: [], threshold: 1 },
    { role: 'trainer', singleUse: false, redeemSeconds: 604_800, memberSeconds: 31_536_000 },
    ['starling1-x', ['/ip4/192.0.2.7/tcp/1']],
    { peer: PEER, reason: '' },
  ]);
});

test('what makes no sense is refused by its key', async () => {
  const { client, seen } = await running();
  await expect(client.create({ name: 'No Good' })).rejects.toThrow('name: use small letters');
  await expect(client.create({ name: 'a', admins: ['x'] })).rejects.toThrow('admins.0');
  await expect(client.invite({ redeemSeconds: 0 })).rejects.toThrow('redeemSeconds');
  await expect(client.invite({ addresses: ['x'] })).rejects.toThrow('addresses.0');
  await expect(client.vouch({ peer: 'x', until: null })).rejects.toThrow('peer');
  await expect(client.vouch({ peer: PEER, until: 2 ** 32 })).rejects.toThrow('until');
  const both: Revoke[] = [{}, { peer: PEER, invite: 'abcdef01' }];
  for (const wanted of both) {
    await expect(client.revoke(wanted)).rejects.toThrow('either a peer or an invite');
  }
  expect(seen).toEqual([]);
});
