import { createLog, startDaemon } from './chunk-NDUNX7TQ.js';
import './chunk-72FKC3FD.js';
import { configSchema } from './chunk-SRCTQGPL.js';
import './chunk-4B55UYVQ.js';
import { bytesOfWords, hashHex } from './chunk-EMDBR6KR.js';
import './chunk-C6FHXPGE.js';

// apps/daemon/src/demo-main.ts
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorMessage } from './chunk-74QJAORY.js';

process.once('message', (start) => {
  run(start).catch((error) => {
    tell({ kind: 'failed', error: errorMessage(error) });
    process.exit(1);
  });
});
process.on('disconnect', () => process.exit(0));
function tell(message) {
  if (process.connected) process.send(message);
}
async function run(start) {
  const config = configSchema.parse(start.config);
  let daemon;
  const onNotice = (job, notice) => {
    const { kill } = start;
    if (notice.kind === 'phase' && notice.round === kill?.round && notice.phase === kill.phase) {
      process.kill(process.pid, 'SIGKILL');
    }
    const bytesOut = daemon?.traffic().bytesOut ?? 0;
    tell({ kind: 'notice', job, notice, atMs: performance.now(), bytesOut });
  };
  const log = createLog(config.log);
  const options = { config, stateDirectory: start.stateDirectory, log };
  daemon = await startDaemon(options, { observer: observerFor(start.capture), onNotice });
  const { name, path, task } = start.dataset;
  if (daemon.data.get(name) === void 0) await daemon.data.add(name, path, task);
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
  process.once('SIGTERM', () => void daemon.stop());
  await daemon.stopped;
  process.exit(0);
}
function observerFor(capture) {
  if (capture !== void 0) mkdirSync(capture, { recursive: true });
  let files = 0;
  const keep = (kind, bytes) => {
    if (capture === void 0) return;
    writeFileSync(join(capture, `${process.pid}-${files++}.${kind}`), bytes);
  };
  return {
    input(_job, round, slot, words) {
      keep('input', bytesOfWords(words));
      tell({ kind: 'input', round, slot, words });
    },
    sum(_job, round, slot, words) {
      tell({ kind: 'sum', round, slot, hash: hashHex(bytesOfWords(words)) });
    },
    chunk: (_job, _round, bytes) => keep('chunk', bytes),
  };
}
//# sourceMappingURL=demo-daemon.js.map
