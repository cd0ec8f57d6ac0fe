import { describe, expect, test } from 'vitest';
import { health, ready } from './health.ts';

const bootstrap = [{ address: '/ip4/127.0.0.1/tcp/1', state: 'not connected' }];

describe('alive', () => {
  test('is a daemon whose journal takes a write at once', () => {
    expect(health(0.01)).toEqual({ ok: true, status: 'alive' });
  });
  test('is not one whose journal fails, or takes too long', () => {
    expect(health(null)).toEqual({ ok: false, status: 'the journal cannot be written' });
    expect(health(6)).toEqual({ ok: false, status: 'the disk is too slow' });
  });
});

describe('ready', () => {
  test('is a member with a peer', () => {
    expect(ready({ peers: ['a'], bootstrap, standing: 'member' }).ok).toBe(true);
  });
  test('is the first of a swarm, which has nowhere to enter', () => {
    expect(ready({ peers: [], bootstrap: [], standing: 'member' }).ok).toBe(true);
  });
  test('is not one that should be connected and is not', () => {
    const alone = ready({ peers: [], bootstrap, standing: 'member' });
    expect(alone).toEqual({ ok: false, status: 'connected to no peer' });
  });
  test('is not one that its swarm has thrown out, and strangers learn no more', () => {
    const out = ready({ peers: ['a'], bootstrap, standing: 'revoked: laptop lost' });
    expect(out).toEqual({ ok: false, status: 'not a member of its swarm' });
  });
});
