import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { PeerId } from '@starling/core';
import { PIECE_BYTES } from '@starling/protocol-blobs';
import { expect, onTestFinished, test } from 'vitest';
import { seededRandom } from '../../packages/sim/src/prng.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { until } from '../helpers/until.ts';

const PEER = fileURLToPath(new URL('../helpers/children/blob-peer.ts', import.meta.url));
const IS_FULL = process.env['STARLING_TEST_SIZE'] === 'full';
const PIECES = IS_FULL ? 100 : 12;
const HOLDERS = IS_FULL ? 4 : 3;

interface Line {
  readonly ready?: PeerId;
  readonly address?: string;
  readonly kept?: number;
  readonly done?: number;
  readonly buffers?: number;
}

/** A peer in a process of its own. */
class Peer {
  readonly #child: ChildProcess;
  readonly lines: Line[] = [];

  constructor(task: object) {
    const args = ['--import', 'tsx', PEER, JSON.stringify(task)];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.lines.push(JSON.parse(line) as Line);
    });
    this.#child = child;
    onTestFinished(() => void child.kill('SIGKILL'));
  }

  ready(): Promise<Line> {
    return until(() => this.lines.find(({ ready }) => ready !== undefined));
  }

  get kept(): number {
    return this.lines.filter(({ kept }) => kept !== undefined).length;
  }

  goOn(): void {
    this.#child.stdin?.write('\n');
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await until(() => this.#child.signalCode !== null);
  }
}

test(`${PIECES} MB from ${HOLDERS} peers, of which some and the newcomer are killed`, async () => {
  const directory = await temporaryDirectory();
  const blob = seededRandom(5, 6, 7).bytes(PIECES * PIECE_BYTES - 1000);
  const hash = createHash('sha256').update(blob).digest('hex');
  const holders: Peer[] = [];
  for (let i = 0; i < HOLDERS; i++) {
    const own = join(directory, `holder-${i}`, hash.slice(0, 2));
    await mkdir(own, { recursive: true });
    await writeFile(join(own, hash), blob);
    holders.push(new Peer({ directory: join(directory, `holder-${i}`), bootstrap: [] }));
  }
  const ready = await Promise.all(holders.map((holder) => holder.ready()));
  const bootstrap = ready.map(({ address }) => address);
  const from = ready.map((line) => line.ready);
  const newcomer = (pauseAt: number) => {
    const fetch = { hash, from, pauseAt };
    return new Peer({ directory: join(directory, 'newcomer'), bootstrap, fetch });
  };

  const first = newcomer(Math.floor(PIECES / 4));
  await until(() => first.kept === Math.floor(PIECES / 4));
  await first.kill();
  await holders[0]!.kill();

  const second = newcomer(Math.floor(PIECES / 4));
  await until(() => second.kept === Math.floor(PIECES / 4));
  await holders[1]!.kill();
  second.goOn();
  const { done, buffers } = await until(() => second.lines.find((line) => line.done));
  expect(done).toBe(blob.length);
  // What the first one kept was not asked for again.
  expect(second.kept).toBe(PIECES - Math.floor(PIECES / 4));
  // Pieces under way, and what the garbage collector has not seen yet: not the blob.
  expect(buffers).toBeLessThan(80 * 2 ** 20);
});
