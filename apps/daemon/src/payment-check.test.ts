import type { PeerId } from '@starling/core';
import type { Order } from '@starling/offers';
import type { CardId } from '@starling/protocol-models';
import { expect, test } from 'vitest';
import { silentLog } from '../../../test/helpers/parts.ts';
import { paymentCheck } from './payment-check.ts';

const order: Order = {
  ...{ card: 'ab'.repeat(32) as CardId, offer: 'cd'.repeat(32), amount: 40, unit: 'cent' },
  ...{ buyer: 'buyer' as PeerId, seller: 'seller' as PeerId },
};
const asked = (script: string, timeoutMs?: number) =>
  paymentCheck([process.execPath, '-e', script], silentLog, timeoutMs)(order, 'receipt-7');

test('a program gets the order and the receipt, and says yes by its exit code', async () => {
  const given = 'const { receipt, amount } = JSON.parse(require("fs").readFileSync(0));';
  const script = `${given} process.exit(receipt === "receipt-7" && amount === 40 ? 0 : 1)`;
  expect((await asked(script)).ok).toBe(true);
  const no = await asked('console.error("nothing has come\\nand more"); process.exit(3)');
  expect(no).toEqual({ ok: false, reason: 'nothing has come' });
});

test('one that cannot be started has said no', async () => {
  const check = paymentCheck(['/nowhere/to-be-found'], silentLog);
  expect((await check(order, 'x')).ok).toBe(false);
});

test('one that hangs is ended with all that it has started', async () => {
  const child = 'require("child_process").spawn("sleep", ["60"], { stdio: "inherit" });';
  const script = `process.on("SIGTERM", () => {}); ${child} setInterval(() => {}, 1000)`;
  const began = performance.now();
  expect((await asked(script, 300)).ok).toBe(false);
  expect(performance.now() - began).toBeLessThan(10_000);
});
