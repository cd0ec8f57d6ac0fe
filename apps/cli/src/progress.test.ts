import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { ProgressLine, progressText, whileWaiting } from './progress.ts';

test('progress says what is left where the end is known, else what is done', () => {
  expect(progressText(40, 100, 8)).toBe('40 %, 12 s left');
  expect(progressText(0, 100, 2)).toBe('0 %, 200 s left');
  expect(progressText(100, 100, 8)).toBe('100 %, 0 s left');
  expect(progressText(123, Number.NaN, 8)).toBe('123 so far');
});

/** What is written to standard error, a terminal of 60 columns or none, on a clock of the test. */
function standardError(isTTY: boolean): () => string {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  let written = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    written += String(text);
    return true;
  });
  vi.stubEnv('TERM', 'xterm');
  vi.stubEnv('LC_ALL', 'C.UTF-8');
  const { stderr } = process;
  const before = [stderr.isTTY, stderr.columns] as const;
  Object.assign(stderr, { isTTY, columns: 60 });
  onTestFinished(() => {
    [stderr.isTTY, stderr.columns] = before;
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
    vi.useRealTimers();
  });
  return () => written;
}

describe('a line of progress', () => {
  test('comes after two seconds, with a bar that fits, and goes in the end', () => {
    const written = standardError(true);
    const line = new ProgressLine('reading ./scans');
    line.update(1, 100);
    expect(written()).toBe('');
    vi.advanceTimersByTime(3000);
    line.update(30, 100);
    expect(written().startsWith('\r\x1b[K')).toBe(true);
    const shown = written().slice('\r\x1b[K'.length);
    expect(shown).toMatch(/^━+─+ reading \.\/scans: 30 %, 7 s left$/);
    expect(shown.length).toBeLessThan(60);
    line.end();
    expect(written().endsWith('\r\x1b[K')).toBe(true);
  });

  test('is a line now and then where standard error is no terminal', () => {
    const written = standardError(false);
    const line = new ProgressLine('pulling x');
    for (let i = 0; i < 25; i++) {
      vi.advanceTimersByTime(1000);
      line.update(i, 100);
    }
    line.end();
    expect(written().split('\n')).toEqual([
      'pulling x: 1 %, 198 s left',
      'pulling x: 11 %, 98 s left',
      'pulling x: 21 %, 83 s left',
      '',
    ]);
  });

  test('says since when something goes on of which nobody knows the end', async () => {
    const written = standardError(true);
    let finish: (answer: string) => void = () => {};
    const work = whileWaiting(
      'waiting',
      new Promise<string>((resolve) => {
        finish = resolve;
      }),
    );
    vi.advanceTimersByTime(5000);
    expect(written()).toMatch(/waiting: 5 s so far$/);
    finish('done');
    expect(await work).toBe('done');
    expect(vi.getTimerCount()).toBe(0);
  });
});
