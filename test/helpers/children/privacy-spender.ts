import type { JobId } from '@starling/core';
import { LevelJournal } from '@starling/store';
import { PrivacyLedger } from '../../../packages/node/src/privacy-ledger.ts';

/** Charges one update after another until it is killed; prints how many are durable. */
const ledger = new PrivacyLedger(await LevelJournal.open(process.argv[2]!));
const job = 'a'.repeat(64) as JobId;
for (let i = 1; ; i++) {
  await ledger.spend({ dataset: 'd', job, rho: 0.25, updatesMax: 1e6 }, undefined, `u${i}`);
  process.stdout.write(`${i}\n`);
}
