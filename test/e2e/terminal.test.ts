import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { controlSocket, createControlServer, type JobEvent } from '@starling/control';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ID, job, live, rounds, status } from '../../apps/cli/src/watch/testing.ts';
import { harmless } from '../../packages/control/src/testing/handlers.ts';
import { missingPrograms } from '../helpers/debian.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { Tmux } from '../helpers/tmux.ts';
import { until } from '../helpers/until.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LAUNCHER = join(ROOT, 'apps/cli/bin/starling.js');
const isFull = process.env['STARLING_TEST_SIZE'] === 'full';
const lacks = isFull ? missingPrograms(['tmux', 'zsh']) : 'only in the full size';

/** A shell in which `starling` is this repository's, and a line that tells how each ended. */
async function terminal(size: { columns: number; rows: number }, environment = {}) {
  const folder = await temporaryDirectory();
  const shim = `#!/bin/sh\nexec "${process.execPath}" "${LAUNCHER}" "$@"\n`;
  await writeFile(join(folder, 'starling'), shim, { mode: 0o755 });
  const rc = 'PS1="[\\$?]> "\n';
  await writeFile(join(folder, 'bashrc'), rc);
  return new Tmux(['bash', '--noprofile', '--rcfile', join(folder, 'bashrc')], {
    ...size,
    environment: {
      ...{ PATH: `${folder}:${process.env['PATH']}`, LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8' },
      ...environment,
    },
  });
}

const SMALL = { columns: 80, rows: 24 };

describe.skipIf(lacks !== undefined)(`on a terminal${lacks ? ` (${lacks})` : ''}`, () => {
  describe('init', () => {
    test('asks its questions, asks again, and writes what was answered', async () => {
      const state = await temporaryDirectory();
      const table = join(state, 'fruit.csv');
      await writeFile(table, 'weight,kind\n1.5,apple\n2.5,pear\n');
      const screen = await terminal({ columns: 140, rows: 40 });
      screen.type(`starling init --state ${state}`);
      screen.press('Enter');
      await screen.shows(/1 of 5/);
      screen.type('Ward 7');
      screen.press('Enter');
      await screen.shows(/use small letters/);
      screen.press('C-u');
      screen.type('ward-7');
      screen.press('Enter');
      await screen.shows(/2 of 5/);
      screen.type('/nowhere');
      screen.press('Enter');
      await screen.shows(/no such file/);
      screen.press('C-u');
      screen.type(`${table} --task fruit`);
      screen.press('Enter');
      await screen.shows(/3 of 5/);
      screen.press('Enter');
      await screen.shows(/4 of 5/);
      screen.type('at night');
      screen.press('Enter');
      await screen.shows(/5 of 5/);
      screen.press('Enter');
      await screen.shows(/Write it to/);
      screen.press('Enter');
      const shown = await screen.shows(/\[0\]>$/m);
      expect(shown).toContain(`starling data add fruit ${table} --task fruit`);
      const text = await readFile(join(state, 'starling.yaml'), 'utf8');
      expect(text).toMatch(/^network: ward-7$/m);
      expect(text).toMatch(/- 22:00-07:00/);
    });

    test('Ctrl-C in the middle writes nothing', async () => {
      const state = await temporaryDirectory();
      const screen = await terminal(SMALL);
      screen.type(`starling init --state ${state}`);
      screen.press('Enter');
      await screen.shows(/1 of 5/);
      screen.press('C-c');
      await screen.shows(/nothing was written\n\[130\]>$/m);
      expect(existsSync(join(state, 'starling.yaml'))).toBe(false);
    });
  });

  describe('watch', () => {
    const running = job({ name: 'digits', rounds: rounds(12), live: live() });

    /** A daemon with one job, whose events the test tells. */
    async function daemon() {
      const state = await temporaryDirectory();
      const told = new Set<(event: JobEvent) => void>();
      const server = await createControlServer(
        controlSocket(state),
        harmless({
          jobs: async () => [running],
          job: async () => running,
          status: async () => status(),
          watch: (listen) => {
            told.add(listen);
            return () => told.delete(listen);
          },
        }),
      );
      onTestFinished(() => server.close());
      const tell = (event: Omit<JobEvent, 'job'>) => {
        for (const listen of told) listen({ job: ID, ...event });
      };
      return { state, tell, readers: () => told.size };
    }

    async function watching(args = 'digits', environment = {}, before = '') {
      const { state, tell, readers } = await daemon();
      const screen = await terminal(SMALL, { STARLING_STATE: state, ...environment });
      screen.type(`${before}starling watch ${args}`);
      screen.press('Enter');
      return { screen, tell, readers };
    }

    test('draws the job, and fits when the terminal is resized', async () => {
      const { screen } = await watching();
      const first = await screen.shows(/2 peers connected/);
      expect(first).toMatch(/^digits {2}abababababab/);
      expect(first).toContain('▶ shares');
      expect(screen.state()).toEqual({ isAlternate: true, hasCursor: false });
      screen.resize(120, 40);
      await screen.shows(/launched by/);
      screen.resize(30, 6);
      // Nothing of the larger screen is left.
      await until(() => screen.screen().trimEnd().split('\n').length <= 6);
      expect(await screen.shows(/^digits/)).toMatch(/^rounds 12\/30/m);
      screen.resize(1, 1);
      screen.resize(80, 24);
      expect(await screen.shows(/2 peers connected/)).toMatch(/^digits {2}abababababab/);
    });

    test.each([
      ['q', 'q', 0],
      ['Ctrl-C', 'C-c', 130],
    ])('%s gives the terminal back, and the last screen stays', async (_, key, code) => {
      const { screen } = await watching();
      await screen.shows(/2 peers connected/);
      screen.press(key);
      const left = await screen.shows(new RegExp(`^\\[${code}\\]>$`, 'm'));
      expect(left).toContain('2 peers connected');
      expect(screen.state()).toEqual({ isAlternate: false, hasCursor: true });
    });

    test('q leaves also where the daemon does not answer any more', async () => {
      const state = await temporaryDirectory();
      let isAsked = false;
      const server = await createControlServer(
        controlSocket(state),
        harmless({
          job: async () => running,
          status: () => {
            isAsked = true;
            return new Promise(() => {});
          },
        }),
      );
      onTestFinished(() => server.close());
      const screen = await terminal(SMALL, { STARLING_STATE: state });
      screen.type('starling watch digits');
      screen.press('Enter');
      await until(() => isAsked);
      screen.press('q');
      await screen.shows(/^\[0\]>$/m);
    });

    test('ends with the job, and says what has become of it', async () => {
      const { screen, tell, readers } = await watching();
      await screen.shows(/2 peers connected/);
      await until(() => readers() > 0);
      tell({ kind: 'burnt', text: 'round 13: attempt lost' });
      await screen.shows(/\d\d:\d\d:\d\d {2}round 13: attempt lost/);
      const over = { ...running, phase: 'finished', rounds: rounds(30), live: null };
      tell({ kind: 'finished', text: 'finished after 30 rounds', view: over, live: null });
      await screen.shows(/^digits \(abababababab\): finished after 30 rounds[^[]*\[0\]>$/m);
      expect(screen.state()).toEqual({ isAlternate: false, hasCursor: true });
    });

    test('Ctrl-Z gives the terminal back until it is taken up again', async () => {
      const { screen } = await watching();
      await screen.shows(/2 peers connected/);
      screen.press('C-z');
      await screen.shows(/Stopped/);
      expect(screen.state()).toEqual({ isAlternate: false, hasCursor: true });
      screen.type('fg');
      screen.press('Enter');
      await until(() => screen.state().isAlternate);
      await screen.shows(/2 peers connected/);
      screen.press('q');
      await screen.shows(/\[0\]>$/m);
    });

    test('without a job shows all of them', async () => {
      const { screen } = await watching('');
      expect(await screen.shows(/peers connected/)).toMatch(/^digits +shares +━+─+ 12\/30/m);
      screen.press('q');
      await screen.shows(/\[0\]>$/m);
    });

    test.each([
      ['--plain', 'digits --plain', ''],
      ['a dumb terminal', 'digits', 'TERM=dumb '],
    ])('with %s there are lines, and no screen', async (_, args, before) => {
      const { screen } = await watching(args, {}, before);
      await screen.shows(/round 12\/30 {2}loss before/);
      expect(screen.state()).toEqual({ isAlternate: false, hasCursor: true });
      screen.press('C-c');
    });

    test('without UTF-8 it is drawn in ASCII', async () => {
      const { screen } = await watching('digits', { LANG: 'C', LC_ALL: 'C' });
      const shown = await screen.shows(/2 peers connected/);
      expect(shown).toContain('> shares');
      expect(shown).toMatch(/^\p{ASCII}*$/u);
      screen.press('q');
    });
  });

  test('zsh completes names of the running daemon', async () => {
    const state = await temporaryDirectory();
    const server = await createControlServer(
      controlSocket(state),
      harmless({ jobs: async () => [job({ name: 'digits' })] }),
    );
    onTestFinished(() => server.close());
    const bin = await temporaryDirectory();
    const shim = `#!/bin/sh\nexec "${process.execPath}" "${LAUNCHER}" "$@"\n`;
    await writeFile(join(bin, 'starling'), shim, { mode: 0o755 });
    const environment = { PATH: `${bin}:${process.env['PATH']}`, STARLING_STATE: state };
    const screen = new Tmux(['zsh', '-f'], { ...SMALL, environment });
    screen.type('PS1="ready> "; autoload -Uz compinit; compinit -u -D; clear');
    screen.press('Enter');
    await screen.shows(/^ready>$/m);
    screen.type('source <(starling completion zsh)');
    screen.press('Enter');
    await screen.shows(/completion zsh\)\nready>$/m);
    screen.type('starling wat');
    screen.press('Tab');
    await screen.shows(/ready> starling watch/);
    screen.type('dig');
    screen.press('Tab');
    await screen.shows(/ready> starling watch digits/);
    screen.type('--pl');
    screen.press('Tab');
    await screen.shows(/ready> starling watch digits --plain/);
    screen.press('C-u');
    screen.type('starling swarm invite --role ');
    screen.press('Tab');
    await screen.shows(/^admin +launcher +light +relay +trainer/m);
  });
});
