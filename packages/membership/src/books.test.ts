import {
  encodeRevocation,
  type Revocation,
  signRevocation,
  swarmIdOf,
} from '@starling/protocol-membership';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Books } from './books.ts';
import { DAY, NOW, type TestSwarm, testSwarm } from './testing/swarm-of.ts';

const word = (swarm: TestSwarm, admin: number, of: number, more = {}): Revocation =>
  signRevocation(
    {
      swarm: swarmIdOf(swarm.descriptor),
      target: { kind: 'peer', peer: swarm.keys[of]!.peerId },
      at: NOW,
      reason: '',
      ...more,
    },
    swarm.keys[admin]!,
  );

describe('standing', () => {
  const swarm = testSwarm(4);
  const peer = swarm.keys[1]!.peerId;

  test('without a credential nobody but the authority is a member', () => {
    const books = new Books(swarm.descriptor);
    expect(books.standing(swarm.keys[0]!.peerId, NOW)).toEqual({ ok: true, role: 'admin' });
    expect(books.standing(peer, NOW)).toMatchObject({ reason: 'not-a-member' });
  });

  test('a credential makes a member for its time', () => {
    const books = new Books(swarm.descriptor);
    expect(books.takeCredential(swarm.credential(1, 'light'))).toEqual({ kind: 'new' });
    expect(books.takeCredential(swarm.credential(1, 'light'))).toEqual({ kind: 'known' });
    expect(books.standing(peer, NOW)).toEqual({ ok: true, role: 'light' });
    expect(books.standing(peer, NOW + 31 * DAY)).toMatchObject({ reason: 'expired' });
    expect(books.roleEver(peer)).toBe('light');
  });

  test('what another authority signed is refused', () => {
    const books = new Books({ ...swarm.descriptor, name: 'other' });
    expect(books.takeCredential(swarm.credential(1))).toMatchObject({ reason: 'wrong-swarm' });
    expect(books.takeCredential(new Uint8Array(3))).toMatchObject({ reason: 'malformed' });
  });

  test('in an open swarm all are members that are not revoked', () => {
    const descriptor = { ...swarm.descriptor, access: 'open' as const };
    const books = new Books(descriptor);
    expect(books.standing(peer, NOW)).toEqual({ ok: true, role: 'launcher' });
    const gone = word({ ...swarm, descriptor }, 0, 1);
    books.takeRevocation(encodeRevocation(gone));
    expect(books.standing(peer, NOW)).toMatchObject({ reason: 'revoked' });
  });
});

describe('revocation', () => {
  test('k admins revoke, fewer do not, and one twice is one [M-11]', () => {
    const swarm = testSwarm(5, 3, 2);
    const books = new Books(swarm.descriptor);
    const peer = swarm.keys[4]!.peerId;
    books.takeCredential(swarm.credential(4));
    books.takeRevocation(encodeRevocation(word(swarm, 0, 4)));
    books.takeRevocation(encodeRevocation(word(swarm, 0, 4, { at: NOW + 1 })));
    expect(books.standing(peer, NOW).ok).toBe(true);
    expect(books.version).toBe(1);
    books.takeRevocation(encodeRevocation(word(swarm, 2, 4, { reason: 'lost' })));
    expect(books.standing(peer, NOW)).toMatchObject({ reason: 'revoked' });
    expect(books.roleEver(peer)).toBeUndefined();
    expect(books.version).toBe(2);
  });

  test('a stranger’s word is not kept', () => {
    const swarm = testSwarm(3);
    const books = new Books(swarm.descriptor);
    const verdict = books.takeRevocation(encodeRevocation(word(swarm, 1, 2)));
    expect(verdict).toMatchObject({ kind: 'refused', reason: 'not-an-admin' });
    expect(books.version).toBe(0);
  });
});

test('books merge by union: any order, any repetition, the same books [M-10] [M-13]', () => {
  const swarm = testSwarm(6, 2, 1);
  const admin = swarm.credential(2, 'admin');
  const credentials = [admin, ...[2, 3, 4, 5].map((peer) => swarm.credential(peer, 'relay'))];
  const words = [0, 1].flatMap((by) =>
    [2, 3].flatMap((of) => [word(swarm, by, of), word(swarm, by, of, { at: NOW + by + of })]),
  );
  const items = [
    ...credentials.map((bytes) => ({ kind: 'credential' as const, bytes })),
    ...words.map((entry) => ({ kind: 'word' as const, bytes: encodeRevocation(entry) })),
  ];
  const fill = (order: readonly number[]) => {
    const books = new Books(swarm.descriptor);
    for (const index of order) {
      const { kind, bytes } = items[index]!;
      if (kind === 'credential') books.takeCredential(bytes);
      else books.takeRevocation(bytes);
    }
    return books;
  };
  const all = fill(items.map((_, i) => i));
  const orders = fc
    .tuple(
      fc.shuffledSubarray(
        items.map((_, i) => i),
        { minLength: items.length },
      ),
      fc.array(fc.nat(items.length - 1)),
    )
    .map(([order, again]) => [...again, ...order]);
  fc.assert(
    fc.property(orders, (order) => {
      const books = fill(order);
      expect(books.digest()).toEqual(all.digest());
      expect(books.revocations()).toEqual(all.revocations());
      expect(books.credentials()).toEqual(all.credentials());
    }),
  );
  expect(all.version).toBe(4);
});
