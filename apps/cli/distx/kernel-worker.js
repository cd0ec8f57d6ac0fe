import { kernels } from './chunk-72FKC3FD.js';
import './chunk-EMDBR6KR.js';

// packages/node/src/kernel-worker.ts
import { parentPort } from 'node:worker_threads';
import { errorMessage } from './chunk-74QJAORY.js';

parentPort.on('message', ({ id, name, input }) => {
  try {
    parentPort.postMessage({ id, output: kernels[name](input) });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : void 0;
    parentPort.postMessage({ id, error: errorMessage(error), code });
  }
});
//# sourceMappingURL=kernel-worker.js.map
