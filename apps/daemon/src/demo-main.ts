import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorMessage, type JobId } from '@starling/core';
import { hashHex } from '@starling/crypto';
import type { InputObserver } from '@starling/node';
import type { Notice, Slot } from '@starling/rounds';
import { bytesOfWords } from '@starling/secagg';
import { createLog } from '@starling/telemetry';
import { inspectOffer } from '@starling/trainer';
import { configSchema } from './config.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import type { DemoMessage, DemoStart } from './demo-messages.ts';
import { VERSION } from './version.ts';

/**
 * Entry of a daemon of the demo: the same daemon, and an observer that shows its unmasked input to
 * the demo, which compares the secure sum with the plain one. `main.ts` knows nothing of this file.
 */
process.once('message', (start: DemoStart) => {
  run(start).catch((error: unknown) => {
    tell({ kind: 'failed', error: errorMessage(error) });
    process.exit(1);
  });
});
// Without the demo there is nobody to show anything to.
process.on('disconnect', () => process.exit(0));

/** A phase takes several times as long. */
const KILL_AFTER_MS = 10;

function tell(message: DemoMessage): void {
  if (process.connected) process.send!(message);
}

async function run(start: DemoStart): Promise<void> {
  const config = configSchema.parse(start.config);
  let daemon: Daemon | undefined;
  const onNotice = (job: JobId, notice: Notice) => {
    const { kill } = start;
    if (notice.kind === 'phase' && notice.round === kill?.round && notice.phase === kill.phase) {
      // Inside the phase, and not before what led to it has left the process.
      setTimeout(() => process.kill(process.pid, 'SIGKILL'), KILL_AFTER_MS);
    }
    const bytesOut = daemon?.traffic().bytesOut ?? 0;
    tell({ kind: 'notice', job, notice, atMs: performance.now(), bytesOut });
  };
  const { log: level, logFormat: format } = config;
  const log = await createLog({ level, format, version: VERSION });
  const { stateDirectory } = start;
  const options = { config, stateDirectory, log, onIdentity: log.identify };
  const observer = start.observed ? { observer: observerFor(start.capture) } : {};
  daemon = await startDaemon(options, { ...observer, onNotice });
  const { name, path, task } = start.dataset;
  if (daemon.data.get(name) === undefined) {
    await daemon.data.add(await inspectOffer(name, path, { task }));
  }
  const { swarm } = daemon;
  tell({
    kind: 'up',
    peer: swarm.self,
    addresses: swarm.addresses(),
    socket: daemon.socket,
  });
  const countPeers = () => tell({ kind: 'peers', count: swarm.peers().length });
  swarm.onPeerChange(countPeers);
  countPeers();
  process.once('SIGTERM', () => void daemon!.stop());
  await daemon.stopped;
  process.exit(0);
}

function observerFor(capture: string | undefined): InputObserver {
  if (capture !== undefined) mkdirSync(capture, { recursive: true });
  let files = 0;
  const keep = (kind: string, bytes: Uint8Array) => {
    if (capture === undefined) return;
    writeFileSync(join(capture, `${process.pid}-${files++}.${kind}`), bytes);
  };
  return {
    input(_job: JobId, round: number, slot: Slot, words: Uint32Array) {
      keep('input', bytesOfWords(words));
      tell({ kind: 'input', round, slot, words });
    },
    sum(_job: JobId, round: number, slot: Slot, words: Uint32Array) {
      tell({ kind: 'sum', round, slot, hash: hashHex(bytesOfWords(words)) });
    },
    chunk: (_job: JobId, _round: number, bytes: Uint8Array) => keep('chunk', bytes),
  };
}
