import { once } from 'node:events';
import type { BlobHash, BlobStore, PeerId } from '@starling/core';
import { createBlobExchange } from '@starling/node';
import { FileBlobStore } from '@starling/store';
import { createSwarm } from '@starling/swarm';
import { realParts } from '../parts.ts';
import { testOptions } from '../swarm-options.ts';

/**
 * A peer that serves the blobs of its store and may fetch one. It prints JSON lines: `ready` with
 * its id and address, `kept` after every piece that it keeps, `done` when the blob is there.
 */
interface Task {
  readonly directory: string;
  readonly bootstrap: readonly string[];
  readonly fetch?: {
    readonly hash: BlobHash;
    readonly from: readonly PeerId[];
    /** Keeps so many pieces, then waits for a line on its standard input. */
    readonly pauseAt: number;
  };
}

const task = JSON.parse(process.argv[2]!) as Task;
const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** Most bytes of buffers that were alive when a piece was kept. */
let buffers = 0;

/** The store, telling of every piece that is kept. */
function watched(store: BlobStore, pauseAt: number): BlobStore {
  let kept = 0;
  return {
    ...{ put: (bytes) => store.put(bytes), get: (hash) => store.get(hash) },
    ...{ has: (hash) => store.has(hash), delete: (hash) => store.delete(hash) },
    ...{ list: () => store.list(), size: (hash) => store.size(hash) },
    read: (hash, at, length) => store.read(hash, at, length),
    async draft(hash, size) {
      const draft = await store.draft(hash, size);
      return {
        isNew: draft.isNew,
        read: (at, length) => draft.read(at, length),
        finish: () => draft.finish(),
        close: () => draft.close(),
        async write(at, bytes) {
          await draft.write(at, bytes);
          kept += 1;
          buffers = Math.max(buffers, process.memoryUsage().arrayBuffers);
          say({ kept });
          if (kept === pauseAt) await once(process.stdin, 'data');
        },
      };
    },
  };
}

const files = await FileBlobStore.open(task.directory);
const store = task.fetch === undefined ? files : watched(files, task.fetch.pauseAt);
const swarm = await createSwarm(testOptions({ bootstrap: task.bootstrap }), realParts);
const blobs = createBlobExchange({ transport: swarm, store, clock: realParts.clock });
say({ ready: swarm.self, address: swarm.addresses()[0] });
if (task.fetch !== undefined) {
  const { hash, from } = task.fetch;
  await blobs.obtain(hash, from, { timeoutMs: 20_000 });
  say({ done: await store.size(hash), buffers });
}
