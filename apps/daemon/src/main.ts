import { parseArgs } from 'node:util';
import { defaultStateDirectory } from '@starling/control';
import { ConfigError, errorMessage } from '@starling/core';
import { createLog, takeWarnings } from '@starling/telemetry';
import { configFileOf, loadConfig, withOverrides } from './config.ts';
import { startDaemon } from './daemon.ts';
import { isJournal, journalLines } from './journal-lines.ts';
import { serviceManager } from './service-manager.ts';
import { VERSION } from './version.ts';

/** Entry of the daemon's process: `starling up` runs it. */
const { values } = parseArgs({
  options: {
    state: { type: 'string' },
    config: { type: 'string' },
    set: { type: 'string', multiple: true, default: [] },
  },
});

try {
  const stateDirectory = values.state ?? defaultStateDirectory();
  const file = loadConfig(configFileOf(stateDirectory, values.config));
  const config = withOverrides(file, values.set);
  const { log: level, logFormat: format } = config;
  const destination = format !== 'text' && isJournal(process.env) ? journalLines() : undefined;
  const log = await createLog({ level, format, version: VERSION, destination });
  takeWarnings(log);
  const daemon = await startDaemon({ config, stateDirectory, log, onIdentity: log.identify });
  const status = () => `peers connected: ${[...daemon.swarm.peers()].length}`;
  const manager = serviceManager({ log, status });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    // Again and again: a second Ctrl-C must not cut the shutdown short.
    process.on(signal, () => {
      void manager.stopping();
      void daemon.stop();
    });
  }
  await manager.ready();
  // A parent that waits for readiness is told over its channel.
  process.send?.({ kind: 'up', socket: daemon.socket });
  process.disconnect?.();
  await daemon.stopped;
  log.info('daemon has stopped');
  process.exit(0);
} catch (error) {
  process.stderr.write(`starling: ${errorMessage(error)}\n`);
  process.send?.({ kind: 'failed', error: errorMessage(error) });
  process.exit(error instanceof ConfigError ? 2 : 1);
}
