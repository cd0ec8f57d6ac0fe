import { utf8 } from '@starling/core';
import type { Target } from '@starling/storage';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { patternBytes } from '../helpers/patterns.ts';

export interface TargetUnderTest {
  /** Another process's way to the same place. */
  reopen(): Promise<Target>;
  readonly target: Target;
  close(): Promise<void>;
}

/** Larger than what goes to an object store in one piece. */
const LARGE = 9 * 2 ** 20 + 5;
const JOB = 'ab'.repeat(32);

const isEqual = (a: Uint8Array | undefined, b: Uint8Array): boolean =>
  a !== undefined && Buffer.compare(a, b) === 0;

/** What every `Target` must do. */
export function runTargetCompliance(name: string, open: () => Promise<TargetUnderTest>): void {
  describe(`target compliance: ${name}`, () => {
    let subject: TargetUnderTest;
    let target: Target;
    beforeEach(async () => {
      subject = await open();
      target = subject.target;
    });
    afterEach(async () => {
      await target.close();
      await subject.close();
    });

    test('what was put is read back unchanged, whatever its size', async () => {
      for (const length of [0, 1, 1000, LARGE]) {
        const bytes = patternBytes(length, 1);
        const told: number[] = [];
        const onProgress = (done: number, total: number) => told.push(done / total);
        expect(await target.put(`of-${length}.onnx`, bytes, { onProgress })).toBe('written');
        expect(isEqual(await target.get(`of-${length}.onnx`), bytes)).toBe(true);
        if (length === LARGE) expect(told.at(-1)).toBe(1);
      }
    });

    test('what was never put is not there', async () => {
      expect(await target.get('nothing')).toBeUndefined();
      expect(await target.has('nothing')).toBe(false);
      expect(await target.list('nothing')).toEqual([]);
      await target.delete(`${JOB}/nothing`);
    });

    test('who finds the very bytes there leaves them, whoever wrote them', async () => {
      for (const length of [100, LARGE]) {
        const [name, bytes] = [`${JOB}/of-${length}`, patternBytes(length, 2)];
        expect(await target.put(name, bytes)).toBe('written');
        const other = await subject.reopen();
        expect(await other.holds(name, bytes)).toBe(true);
        expect(await other.holds(name, bytes.subarray(1))).toBe(false);
        expect(await other.put(name, bytes)).toBe('unchanged');
        await other.close();
      }
    });

    test('other bytes take the place of those that were there', async () => {
      for (const [first, second] of [
        [100, 100],
        [LARGE, 7],
        [7, LARGE],
      ] as const) {
        await target.put(`${JOB}/a`, patternBytes(first, 3));
        expect(await target.put(`${JOB}/a`, patternBytes(second, 4))).toBe('written');
        expect(isEqual(await target.get(`${JOB}/a`), patternBytes(second, 4))).toBe(true);
      }
      expect(await target.list(JOB)).toEqual(['a']);
    });

    test('two that write the same bytes at once leave them whole', async () => {
      const bytes = patternBytes(LARGE, 5);
      const other = await subject.reopen();
      const outcomes = await Promise.all([target.put('both', bytes), other.put('both', bytes)]);
      await other.close();
      expect(outcomes).toContain('written');
      expect(isEqual(await target.get('both'), bytes)).toBe(true);
    });

    test('a folder lists its own files, sorted, and no others', async () => {
      for (const each of ['d', 'b', 'a', 'e', 'c/deeper'])
        await target.put(`${JOB}/${each}`, utf8(each));
      await target.put('outside', utf8('x'));
      expect(await target.list(JOB)).toEqual(['a', 'b', 'd', 'e']);
      expect(await target.list(`${JOB}/c`)).toEqual(['deeper']);
      // What only begins like it is another folder.
      expect(await target.list(JOB.slice(1))).toEqual([]);
    });

    test('what is deleted is gone, and the others stay', async () => {
      for (const each of ['a', 'b']) await target.put(`${JOB}/${each}`, utf8(each));
      await target.delete(`${JOB}/a`);
      expect(await target.get(`${JOB}/a`)).toBeUndefined();
      expect(await target.list(JOB)).toEqual(['b']);
      expect(isEqual(await target.get(`${JOB}/b`), utf8('b'))).toBe(true);
    });

    test('no name leaves the target', async () => {
      for (const bad of ['../x', 'a/../../x', '/x', '', 'a//b', '.', 'a/', 'a\\b', 'a\0b']) {
        await expect(target.put(bad, utf8('x'))).rejects.toThrow('is no name of a file below it');
        await expect(target.delete(bad)).rejects.toThrow('is no name of a file below it');
      }
    });
  });
}
