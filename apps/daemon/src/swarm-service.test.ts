import { type PeerId, ProtocolError } from '@starling/core';
import { signingKeyFromSeed } from '@starling/crypto';
import { MemoryJournal, type SecretFile } from '@starling/store';
import { expect, onTestFinished, test } from 'vitest';
import { realRandom, silentLog } from '../../../test/helpers/parts.ts';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import { until } from '../../../test/helpers/until.ts';
import { type ConfigInput, configSchema } from './config.ts';
import { SwarmService } from './swarm-service.ts';

const memoryFile = (): SecretFile => {
  let held: Uint8Array | undefined;
  return {
    read: async () => held,
    write: async (bytes) => {
      held = bytes;
    },
    remove: async () => {
      held = undefined;
    },
  };
};

/** A daemon's swarm alone, with a disk that outlives it. */
async function disk(policy: ConfigInput['policy'] = {}) {
  const seed = realRandom.bytes(32);
  const key = signingKeyFromSeed(seed);
  const parts = {
    ...{ journal: new MemoryJournal(), file: memoryFile(), seed, key, log: silentLog },
    peers: await temporaryDirectory(),
    config: configSchema.parse({ listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, policy }),
  };
  const open = async (): Promise<SwarmService> => {
    const service = await SwarmService.open(parts);
    onTestFinished(() => service.swarm.stop());
    return service;
  };
  return { key, open, parts };
}

const wanted = {
  ...{ name: 'ward-7', public: false, preSharedKey: true, threshold: 1 },
  admins: [] as string[],
};
const anInvite = {
  ...{ role: 'trainer' as const, singleUse: false, redeemSeconds: 3_600, memberSeconds: 7_200 },
  addresses: undefined,
};

test('two of three admins: the others come in by a half-signed invite, then sign', async () => {
  const [one, two, three, plain] = await Promise.all([disk(), disk(), disk(), disk()]);
  const founder = await one.open();
  const admins = [two.key.peerId, three.key.peerId];
  await founder.create({ ...wanted, threshold: 2, admins });
  const half = await founder.invite(anInvite);
  expect(half.missingSignatures).toBe(1);

  const newcomer = await plain.open();
  await expect(newcomer.join(half.invite, undefined)).rejects.toThrow('too-few-signatures');
  const second = await two.open();
  expect(await second.join(half.invite, undefined)).toMatchObject({ role: 'admin' });
  await until(() => founder.swarm.peers().length === 1);
  const whole = await second.sign(half.invite);
  expect(whole).toMatchObject({ id: half.id, missingSignatures: 0 });
  expect(await newcomer.join(whole.invite, undefined)).toMatchObject({
    ...{ role: 'trainer', standing: 'member', threshold: 2, preSharedKey: true },
  });

  // One word is not enough, two are.
  const revoked = { peer: plain.key.peerId, invite: undefined, reason: 'left' };
  expect(await founder.revoke(revoked)).toMatchObject({ revoked: false, missing: 1 });
  await until(async () => (await second.show()).revocationListVersion === 1);
  expect(await second.revoke(revoked)).toMatchObject({ revoked: true, missing: 0 });
  await until(() => newcomer.swarm.peers().length === 0);
  const gone = (await founder.members()).find(({ peer }) => peer === plain.key.peerId);
  expect(gone?.standing).toMatch(/^revoked/);
});

test('the swarm is there after a restart; a membership can be renewed, and left', async () => {
  const [one, two] = await Promise.all([disk(), disk()]);
  const admin = await one.open();
  const { id } = await admin.create(wanted);
  const member = await two.open();
  const first = await member.join((await admin.invite(anInvite)).invite, undefined);
  expect(first.warnings).toEqual([expect.stringMatching(/^this membership ends at .*new invite/)]);
  await member.swarm.stop();
  const again = await two.open();
  expect(await again.show()).toMatchObject({ id, role: 'trainer' });
  await until(() => again.swarm.peers().includes(one.key.peerId));

  const longer = await admin.invite({ ...anInvite, role: 'launcher', memberSeconds: 99_999 });
  const renewed = await again.join(longer.invite, undefined);
  expect(renewed).toMatchObject({ id, role: 'launcher' });
  expect(renewed.memberUntil! > first.memberUntil!).toBe(true);
  expect(again.membership.may(two.key.peerId, 'launch')).toBe(true);
  expect(again.proofOf([one.key.peerId, two.key.peerId])?.credentials).toHaveLength(1);

  expect(await again.leave()).toMatchObject({ kind: 'named', name: 'starling', role: null });
  expect(await two.parts.file.read()).toBeUndefined();
  await expect(again.members()).rejects.toThrow(/only in the network.*swarm join/);
  await until(() => admin.swarm.peers().length === 0);
});

test('a swarm without a key keeps strangers out by their credentials alone', async () => {
  const [one, two] = await Promise.all([disk(), disk()]);
  const admin = await one.open();
  expect(await admin.create({ ...wanted, preSharedKey: false })).toMatchObject({
    ...{ kind: 'private', preSharedKey: false },
  });
  const member = await two.open();
  await member.join((await admin.invite(anInvite)).invite, undefined);
  await until(() => admin.swarm.peers().includes(two.key.peerId));
});

test('an open swarm says what is wrong with it, unless its peers are listed', async () => {
  const [one, two] = [await disk(), await disk({ members: [(await disk()).key.peerId] })];
  const founder = await one.open();
  const open = await founder.create({ ...wanted, public: true });
  expect(open).toMatchObject({ kind: 'public', preSharedKey: false });
  expect(open.warnings[0]).toMatch(/one person with many keys/);
  expect(founder.proofOf([one.key.peerId])).toBeNull();
  const guest = await two.open();
  const view = await guest.join((await founder.invite(anInvite)).invite, undefined);
  expect(view).toMatchObject({ kind: 'public', warnings: [] });
  // Neither the founder is on the guest's list, nor may it say so by dialling.
  await expect(founder.swarm.dial(guest.swarm.addresses()[0]!)).rejects.toThrow(ProtocolError);
  expect(founder.swarm.peers()).toEqual([]);
});

test('an owner takes part with whom its voters vouch for, and with nobody else', async () => {
  const voter = await disk();
  const owner = await disk({ vouching: { voters: [voter.key.peerId] } });
  const third = (await disk()).key.peerId;
  const founder = await voter.open();
  await founder.create({ ...wanted, public: true });
  const service = await owner.open();
  const named = await service.show();
  expect(named.warnings[0]).toMatch(/lets in the voters alone/);
  const view = await service.join((await founder.invite(anInvite)).invite, undefined);
  expect(view).toMatchObject({ kind: 'public', warnings: [] });
  await until(() => founder.swarm.peers().includes(owner.key.peerId));

  const may = (peer: PeerId) => service.membership.may(peer, 'train');
  expect([owner.key.peerId, voter.key.peerId, third].map(may)).toEqual([true, true, false]);
  expect(service.membership.refusal(third)).toMatch(/^not-listed: .*0 of 1 voters/);
  const end = Math.floor(Date.now() / 1000) + 3_600;
  expect(await founder.vouch({ peer: third, until: end })).toMatchObject({
    ...{ peer: third, by: voter.key.peerId, standing: 'holds', counts: false },
  });
  await until(() => may(third));
  expect(await service.vouches()).toMatchObject([{ peer: third, standing: 'holds', counts: true }]);
  await founder.vouch({ peer: third, until: null });
  await until(() => !may(third));
  expect(await service.vouches()).toMatchObject([{ standing: 'withdrawn', counts: false }]);
  await expect(service.vouch({ peer: owner.key.peerId, until: end })).rejects.toThrow('itself');
});

test('what cannot be is refused with the next step', async () => {
  const [one, two] = await Promise.all([disk(), disk()]);
  const service = await one.open();
  await service.create(wanted);
  await expect(service.create(wanted)).rejects.toThrow(/already|wrong swarm: .*swarm leave/);
  const other = await two.open();
  await other.create({ ...wanted, name: 'ward-8' });
  const foreign = await other.invite(anInvite);
  await expect(service.join(foreign.invite, undefined)).rejects.toThrow(/wrong swarm/);
  await expect(service.sign(foreign.invite)).rejects.toThrow('is for another swarm');
  await expect(service.revoke({ peer: undefined, invite: 'abcdef01', reason: '' })).rejects.toThrow(
    /no invite is called "abcdef01".*swarm show/,
  );
  const damaged = { ...one.parts.file, read: async () => new Uint8Array([1, 2]) };
  await expect(SwarmService.open({ ...one.parts, file: damaged })).rejects.toThrow('is damaged');
});
