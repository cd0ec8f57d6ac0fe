import {
  kernels
} from "./chunk-6DSAJH3H.js";
import "./chunk-3OZKAWFD.js";
import {
  errorMessage
} from "./chunk-GRWX223U.js";

// packages/node/src/kernel-worker.ts
import { parentPort } from "node:worker_threads";
parentPort.on("message", ({ id, name, input }) => {
  try {
    parentPort.postMessage({ id, output: kernels[name](input) });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : void 0;
    parentPort.postMessage({ id, error: errorMessage(error), code });
  }
});
//# sourceMappingURL=kernel-worker.js.map
