import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { until } from './until.ts';

export interface TmuxOptions {
  readonly columns: number;
  readonly rows: number;
  readonly environment?: Readonly<Record<string, string>>;
}

/** A shell in a terminal of its own, whose screen can be read; ended with the test. */
export class Tmux {
  readonly #socket: string;

  /** @param shell with its arguments */
  constructor(shell: readonly string[], { columns, rows, environment = {} }: TmuxOptions) {
    const folder = mkdtempSync(join(tmpdir(), 'starling-tmux-'));
    this.#socket = join(folder, 'socket');
    const size = ['-x', String(columns), '-y', String(rows)];
    const settings = Object.entries(environment).flatMap(([name, value]) => [
      ...['-e', `${name}=${value}`],
    ]);
    // -u: it writes UTF-8, whatever the locale of whoever runs the tests.
    this.#tmux('-u', '-f', '/dev/null', 'new-session', '-d', ...size, ...settings, ...shell);
    onTestFinished(() => {
      this.#tmux('kill-server');
      rmSync(folder, { recursive: true, force: true });
    });
  }

  /** Types text as it is. */
  type(text: string): void {
    this.#tmux('send-keys', '-l', '--', text);
  }

  /** Presses keys by their names, as Enter, Down, C-c. */
  press(...keys: readonly string[]): void {
    this.#tmux('send-keys', ...keys);
  }

  resize(columns: number, rows: number): void {
    this.#tmux('resize-window', '-x', String(columns), '-y', String(rows));
  }

  /** The lines that are to be seen. */
  screen(): string {
    return this.#tmux('capture-pane', '-p');
  }

  /** Whether a program has taken the alternate screen, and whether the cursor is to be seen. */
  state(): { readonly isAlternate: boolean; readonly hasCursor: boolean } {
    const text = this.#tmux('display-message', '-p', '#{alternate_on} #{cursor_flag}').trim();
    const [alternate, cursor] = text.split(' ');
    return { isAlternate: alternate === '1', hasCursor: cursor === '1' };
  }

  /** Resolves with the screen once it shows what is expected; fails with what it shows instead. */
  async shows(pattern: RegExp, timeoutMs = 20_000): Promise<string> {
    let last = '';
    try {
      return await until(() => {
        last = this.screen();
        return pattern.test(last) ? last : undefined;
      }, timeoutMs);
    } catch {
      throw new Error(`no ${pattern} on the screen:\n${last}`);
    }
  }

  #tmux(...args: readonly string[]): string {
    return execFileSync('tmux', ['-S', this.#socket, ...args], { encoding: 'utf8' });
  }
}
