import type { Log } from '@starling/core';
import { expect, test } from 'vitest';
import { realParts } from '../../../test/helpers/parts.ts';
import { fullyMeshed, testNode } from '../../../test/helpers/swarms.ts';
import { until } from '../../../test/helpers/until.ts';
import { gapText, versionGaps } from './version-gaps.ts';

const ANSWER = async () => ({ header: new Uint8Array(0), body: new Uint8Array(0) });
const SENTENCE = 'it speaks rounds 2, this peer 3: it must be updated';

test('a protocol that both speak in different versions is a gap, and nothing else is', () => {
  const ours = ['/starling/rounds/3/sync/net', '/starling/reach/1/net', '/ipfs/id/1.0.0'];
  const gapsWith = (...theirs: string[]) => versionGaps(ours, theirs);
  expect(gapsWith('/starling/rounds/2/sync/net', '/starling/reach/1/net')).toEqual([
    { protocol: 'rounds', theirs: 2, ours: 3 },
  ]);
  // It speaks both; it has no rounds at all; it is of another swarm; it is no number.
  expect(gapsWith('/starling/rounds/2/sync/net', '/starling/rounds/3/sync/net')).toEqual([]);
  expect(gapsWith('/starling/reach/1/net')).toEqual([]);
  expect(gapsWith('/starling/rounds/2/sync/other')).toEqual([]);
  expect(gapsWith('/starling/rounds/two/sync/net', '/starling/rounds/', '')).toEqual([]);
});

test('who must be updated is the older one', () => {
  expect(gapText({ protocol: 'rounds', theirs: 2, ours: 3 })).toBe(SENTENCE);
  expect(gapText({ protocol: 'blobs', theirs: 9, ours: 2 })).toContain('this peer must be updated');
});

test('of two nodes one is older: each is told in its status, and once in the log', async () => {
  const warnings: unknown[] = [];
  const warn: Log['warn'] = (message, fields) => void warnings.push([message, fields]);
  const log: Log = { ...realParts.log, warn };
  const newer = await testNode({}, { log });
  newer.swarm.handle('/starling/rounds/3/sync', ANSWER);
  const older = await testNode({ bootstrap: newer.swarm.addresses() });
  older.swarm.handle('/starling/rounds/2/sync', ANSWER);
  await fullyMeshed([newer, older]);
  await until(() => newer.swarm.status().outdated.length > 0, 15_000, 'the newer one knows');
  expect(newer.swarm.status().outdated).toEqual([{ peer: older.swarm.self, reason: SENTENCE }]);
  await until(() => older.swarm.status().outdated.length > 0, 15_000, 'the older one knows');
  expect(older.swarm.status().outdated[0]!.reason).toContain('this peer must be updated');

  const told = ['a peer speaks another version', { peer: older.swarm.self, reason: SENTENCE }];
  await until(() => warnings.length > 0, 15_000, 'the log says so');

  // Once it is updated, nothing is said any more.
  older.swarm.handle('/starling/rounds/3/sync', ANSWER);
  await until(() => newer.swarm.status().outdated.length === 0, 15_000, 'it speaks both');
  expect(warnings).toEqual([told]);
});
