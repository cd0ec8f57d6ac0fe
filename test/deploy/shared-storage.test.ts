import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { controlSocket, createControlClient } from '@starling/control';
import { openTarget } from '@starling/storage';
import { FileBlobStore, LevelJournal } from '@starling/store';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runBlobStoreCompliance } from '../compliance/blob-store.ts';
import { runJournalCompliance } from '../compliance/journal.ts';
import { runTargetCompliance } from '../compliance/target.ts';
import { until } from '../helpers/until.ts';
import { Gluster, missingGluster } from './gluster.ts';

const DAEMON = join(import.meta.dirname, '../../apps/cli/dist/daemon.js');
const isFull = process.env['STARLING_TEST_SIZE'] === 'full';
const missing = isFull ? missingGluster() : 'GlusterFS is tested at full size only';
if (missing !== undefined) console.log(`skipped: ${missing}`);

describe.skipIf(missing !== undefined)('on GlusterFS', () => {
  let folder: string;
  let gluster: Gluster;
  const children: ChildProcess[] = [];
  let count = 0;
  const fresh = () => join(gluster.mounts[0]!, `place-${++count}`);

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'starling-gluster-'));
    gluster = new Gluster(folder);
    await gluster.start();
  });
  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    await gluster.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  runBlobStoreCompliance('file on GlusterFS', async () => ({
    store: await FileBlobStore.open(fresh()),
    close: async () => {},
  }));
  runJournalCompliance('LevelDB on GlusterFS', async () => {
    const journal = await LevelJournal.open(fresh());
    return { journal, close: () => journal.close() };
  });

  runTargetCompliance('folder on GlusterFS, mounted by two hosts', async () => {
    const place = `target-${++count}`;
    const [a, b] = gluster.mounts.map((mount) => join(mount, place)) as [string, string];
    mkdirSync(a);
    const target = await openTarget('checkpoints.to', a);
    return { target, reopen: () => openTarget('checkpoints.to', b), close: async () => {} };
  });

  /** A daemon with process ids of its own, as on another host; what it says, and its end. */
  function start(state: string, ...before: readonly string[]) {
    const set = JSON.stringify({ mdns: false, listen: ['/ip4/127.0.0.1/tcp/0'] });
    const words = [...before, process.execPath, DAEMON, '--state', state, '--set', set];
    const child = spawn(words[0]!, words.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
    children.push(child);
    let told = '';
    child.stderr.on('data', (data) => {
      told += data;
    });
    return { child, told: () => told };
  }
  const ELSEWHERE = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'];

  test('two hosts cannot run one state directory, and one goes on after a crash', async () => {
    const [a, b] = gluster.mounts.map((mount) => join(mount, 'state')) as [string, string];
    const first = start(a);
    const status = () =>
      createControlClient(controlSocket(a))
        .status()
        .catch(() => false as const);
    const { peerId, pid } = await until(status, 60_000, 'the daemon');
    expect(pid).toBe(first.child.pid);
    const second = start(b, ...ELSEWHERE);
    const [code] = await once(second.child, 'exit');
    expect(second.told()).toMatch(/another process has locked .*on another host/);
    expect(code).toBe(2);

    // The daemon dies without a word, and so does one of the servers.
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    await gluster.killBrick(0);
    const third = start(a);
    const again = await until(
      async () => {
        const found = await status();
        return found && found.pid === third.child.pid && found;
      },
      90_000,
      'the daemon again',
    );
    expect(again.peerId).toBe(peerId);
  });
});
