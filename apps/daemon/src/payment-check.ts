import { spawn } from 'node:child_process';
import type { Log } from '@starling/core';
import type { PaymentCheck } from '@starling/offers';

/** Less than a buyer waits for its answer: it must hear of the no, and not of a timeout. */
const TIMEOUT_MS = 15_000;
const REASON_CHARS_MAX = 200;
const LATER = 'the seller cannot look at receipts now';

/**
 * Asks a program about a payment: it gets the order and the receipt as one JSON object on standard
 * input, and says yes by the exit code 0; else the first line of its standard error is the reason
 * that the buyer is told. One that takes too long is killed, and has said no.
 * @param command program and arguments
 */
export const paymentCheck =
  (command: readonly string[], log: Log, timeoutMs: number = TIMEOUT_MS): PaymentCheck =>
  (order, receipt) =>
    new Promise((resolve) => {
      const [program, ...args] = command as [string, ...string[]];
      // Of a group of its own, so that what it has started ends with it.
      const child = spawn(program, args, { stdio: ['pipe', 'ignore', 'pipe'], detached: true });
      const timer = setTimeout(() => {
        log.error('offers.check takes too long', { program, seconds: timeoutMs / 1000 });
        killGroup(child.pid);
        // It may have left something that holds its pipes open: nobody waits for that.
        child.stderr.destroy();
        resolve({ ok: false, reason: LATER });
      }, timeoutMs);
      let said = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        said = `${said}${text}`.slice(0, 4_096);
      });
      // A program that answers without reading closes the pipe.
      child.stdin.on('error', () => {});
      child.stdin.end(JSON.stringify({ ...order, receipt }));
      child.on('error', (error) => {
        clearTimeout(timer);
        log.error('offers.check cannot be started', { program, error: error.message });
        resolve({ ok: false, reason: LATER });
      });
      child.on('close', (code) => {
        clearTimeout(timer);
        const [line = ''] = said.trim().split('\n');
        const reason = line.slice(0, REASON_CHARS_MAX) || 'the receipt was not accepted';
        resolve({ ok: code === 0, reason });
      });
    });

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has just ended by itself.
  }
}
