import { EventEmitter } from 'node:events';
import { expect, onTestFinished, test, vi } from 'vitest';
import { LiveScreen } from './live-screen.ts';

const ENTER = '\x1b[?1049h';
const LEAVE = '\x1b[?1049l';

class Terminal extends EventEmitter {
  columns = 10;
  rows = 3;
  written = '';
  write(text: string): void {
    this.written += text;
  }
  /** What has been written since the last look. */
  take(): string {
    const { written } = this;
    this.written = '';
    return written;
  }
}

function opened(lines: () => readonly string[]) {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const terminal = new Terminal();
  const screen = new LiveScreen(terminal, lines);
  screen.open();
  onTestFinished(screen.close);
  return { terminal, screen };
}

test('lines and columns that do not fit are cut off', () => {
  const { terminal } = opened(() => ['a'.repeat(30), 'b', 'c', 'd']);
  const drawn = terminal.take();
  expect(drawn).toContain('a'.repeat(10));
  expect(drawn).not.toContain('a'.repeat(11));
  expect(drawn).toContain('c');
  expect(drawn).not.toContain('d');
  // No line break after the last line: the terminal would scroll.
  expect(drawn.endsWith('c')).toBe(true);
});

test('what is below a shorter screen goes', () => {
  const { terminal } = opened(() => ['a']);
  expect(terminal.take().endsWith('\r\n\x1b[J')).toBe(true);
});

test('changes in quick succession are drawn once, four times a second at most', () => {
  let count = 0;
  const { terminal, screen } = opened(() => [`n${++count}`]);
  terminal.take();
  for (let i = 0; i < 100; i++) screen.refresh();
  vi.advanceTimersByTime(249);
  expect(terminal.take()).toBe('');
  vi.advanceTimersByTime(1);
  expect(terminal.take()).toContain('n2');
  expect(count).toBe(2);
});

test('a resized terminal is drawn anew at once', () => {
  const { terminal } = opened(() => ['a'.repeat(30)]);
  terminal.take();
  terminal.columns = 20;
  terminal.emit('resize');
  expect(terminal.take()).toContain('a'.repeat(20));
});

test('closing gives the terminal back, once, and nothing is drawn after it', () => {
  const { terminal, screen } = opened(() => ['a']);
  expect(terminal.take()).toContain(ENTER);
  screen.refresh();
  screen.close();
  const left = terminal.take();
  expect(left).toContain(LEAVE);
  expect(left).toContain('\x1b[?25h');
  screen.close();
  screen.refresh();
  vi.advanceTimersByTime(1000);
  terminal.emit('resize');
  expect(terminal.take()).toBe('');
});

test('a process that ends gives its terminal back', () => {
  const { terminal } = opened(() => ['a']);
  terminal.take();
  const listeners = process.listeners('exit');
  (listeners.at(-1) as () => void)();
  expect(terminal.take()).toContain(LEAVE);
});
