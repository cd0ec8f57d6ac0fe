import { createLog, startDaemon } from './chunk-NDUNX7TQ.js';
import './chunk-72FKC3FD.js';
import { configSchema, defaultStateDirectory, loadConfig } from './chunk-SRCTQGPL.js';
import './chunk-4B55UYVQ.js';
import './chunk-EMDBR6KR.js';
import './chunk-C6FHXPGE.js';

// apps/daemon/src/main.ts
import { parseArgs } from 'node:util';
import { ConfigError, errorMessage } from './chunk-74QJAORY.js';

var { values } = parseArgs({
  options: {
    state: { type: 'string' },
    config: { type: 'string' },
    set: { type: 'string', multiple: true, default: [] },
  },
});
try {
  const file = loadConfig(values.config);
  const overrides = Object.assign({}, ...values.set.map((text) => JSON.parse(text)));
  const config = configSchema.parse({ ...file, ...overrides });
  const log = createLog(config.log);
  const stateDirectory = values.state ?? defaultStateDirectory();
  const daemon = await startDaemon({ config, stateDirectory, log });
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => void daemon.stop());
  }
  process.send?.({ kind: 'up', socket: daemon.socket });
  process.disconnect?.();
  await daemon.stopped;
  log.info('daemon has stopped');
  process.exit(0);
} catch (error) {
  process.stderr.write(`starling: ${errorMessage(error)}
`);
  process.send?.({ kind: 'failed', error: errorMessage(error) });
  process.exit(error instanceof ConfigError ? 2 : 1);
}
//# sourceMappingURL=daemon.js.map
