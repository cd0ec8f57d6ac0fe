import { spawn } from 'node:child_process';
import type { Log } from '@starling/core';
import type { PaymentCheck } from '@starling/offers';

const TIMEOUT_MS = 30_000;
const REASON_CHARS_MAX = 200;

/**
 * Asks a program about a payment: it gets the order and the receipt as one JSON object on standard
 * input, and says yes by the exit code 0; else the first line of its standard error is the reason
 * that the buyer is told.
 * @param command program and arguments
 */
export const paymentCheck =
  (command: readonly string[], log: Log): PaymentCheck =>
  (order, receipt) =>
    new Promise((resolve) => {
      const [program, ...args] = command as [string, ...string[]];
      const child = spawn(program, args, {
        stdio: ['pipe', 'ignore', 'pipe'],
        timeout: TIMEOUT_MS,
      });
      let said = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        said = `${said}${text}`.slice(0, 4_096);
      });
      // A program that answers without reading closes the pipe.
      child.stdin.on('error', () => {});
      child.stdin.end(JSON.stringify({ ...order, receipt }));
      child.on('error', (error) => {
        log.error('offers.check cannot be started', { program, error: error.message });
        resolve({ ok: false, reason: 'the seller cannot look at receipts now' });
      });
      child.on('close', (code) => {
        const [line = ''] = said.trim().split('\n');
        const reason = line.slice(0, REASON_CHARS_MAX) || 'the receipt was not accepted';
        resolve({ ok: code === 0, reason });
      });
    });
