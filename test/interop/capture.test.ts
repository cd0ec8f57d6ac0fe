import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packWords, wordsOfBytes } from '@starling/secagg';
import { expect, test } from 'vitest';
import { Cluster } from './cluster.ts';

const WINDOW = 32;
/** First six bytes of a window as a number: enough to rule out nearly all that differ. */
const key = (bytes: Uint8Array, at: number): number =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).readUIntLE(at, 6);

/** Whether any 32 bytes in a row of `plain` stand anywhere in `sent`. */
function shareWindow(plain: Uint8Array, sent: readonly Uint8Array[]): boolean {
  const places = new Map<number, number>();
  for (let at = 0; at + WINDOW <= plain.length; at++) places.set(key(plain, at), at);
  for (const bytes of sent) {
    for (let at = 0; at + WINDOW <= bytes.length; at++) {
      const found = places.get(key(bytes, at));
      if (found === undefined) continue;
      const same = Buffer.compare(
        bytes.subarray(at, at + WINDOW),
        plain.subarray(found, found + WINDOW),
      );
      if (same === 0) return true;
    }
  }
  return false;
}

/** Pearson's statistic of the byte histogram; 255 degrees of freedom, so 255 ± 23 when uniform. */
function chiSquare(chunks: readonly Uint8Array[]): number {
  const counts = new Float64Array(256);
  let total = 0;
  for (const chunk of chunks) {
    for (const byte of chunk) counts[byte]! += 1;
    total += chunk.length;
  }
  const expected = total / 256;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

test('what leaves a peer has no window of its plain update in it and looks uniform', async () => {
  const capture = await mkdtemp(join(tmpdir(), 'starling-capture-'));
  const cluster = await Cluster.start(3, new Map(), { capture });
  try {
    await cluster.finished(await cluster.launch(1), 1);
    const read = (kind: string) =>
      readdirSync(capture)
        .filter((name) => name.endsWith(`.${kind}`))
        .map((name) => new Uint8Array(readFileSync(join(capture, name))));
    const chunks = read('chunk');
    const inputs = read('input').map((bytes) => packWords(wordsOfBytes(bytes), 24));
    expect(inputs).toHaveLength(3);
    expect(chunks.length).toBeGreaterThan(6);
    for (const plain of inputs) expect(shareWindow(plain, chunks)).toBe(false);
    // The check itself must see a plain chunk when there is one.
    expect(shareWindow(inputs[0]!, [inputs[0]!.subarray(1_001, 30_000)])).toBe(true);
    // Keys are fresh in every run: six standard deviations are met once in a thousand million runs.
    expect(chiSquare(chunks)).toBeLessThan(255 + 6 * 22.6);
    expect(chiSquare(inputs)).toBeGreaterThan(10_000);
  } finally {
    await cluster.stop();
    await rm(capture, { recursive: true, force: true });
  }
});
