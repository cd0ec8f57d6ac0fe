import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { signingKeyFromSeed } from '@starling/crypto';
import { configSchema } from '@starling/daemon';
import { inviteText, signInvite } from '@starling/protocol-membership';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { temporaryDirectory } from '../../../../test/helpers/temporary.ts';
import { type Answers, defaultAnswers, parseAnswers, shareOf } from './answers.ts';
import type { Prompter } from './ask.ts';
import { configurationOf, configurationText } from './configuration.ts';
import { lookAt, nameOf } from './data-answer.ts';
import { amountText } from './machine.ts';
import { runInit } from './run.ts';

const GIB = 2 ** 30;
const MACHINE = { cpus: 8, memory: 16 * GIB, hasBattery: true };
const NOW = Date.parse('2026-11-30T12:00:00Z');
const PEER = '12D3KooWDc4ABGxqxXGRx7wzNmHzFYmPEPN5CbNhDB9M5NsNd8kr';

let printed = '';
beforeEach(() => {
  printed = '';
  const keep = (text: unknown) => {
    printed += String(text);
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(keep);
  vi.spyOn(process.stderr, 'write').mockImplementation(keep);
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = 0;
});

/**
 * Someone who answers in order: texts are typed, and again what comes next when they are refused;
 * of choices the one whose name begins so is taken.
 */
function person(...answers: readonly (string | boolean)[]) {
  const left = [...answers];
  const refusals: string[] = [];
  const asked: string[] = [];
  const next = (message: string) => {
    asked.push(message);
    const answer = left.shift();
    if (answer === undefined) throw new Error(`nobody answers ${message}`);
    return answer;
  };
  const prompter: Prompter = {
    async input({ message, default: usual, validate }) {
      for (;;) {
        const given = String(next(message));
        const text = given === '' && usual !== undefined ? usual : given;
        const verdict = (await validate?.(text)) ?? true;
        if (verdict === true) return text;
        refusals.push(verdict);
      }
    },
    async select({ message, choices }) {
      const wanted = String(next(message));
      return choices.find(({ name }) => name.startsWith(wanted))!.value;
    },
    confirm: async ({ message }) => next(message) === true,
  };
  return { prompter, refusals, asked, left };
}

async function csv(): Promise<string> {
  const path = join(await temporaryDirectory(), 'my fruit.csv');
  await writeFile(path, 'weight,kind\n1.5,apple\n2.5,pear\n3.5,apple\n');
  return path;
}

const configOf = async (state: string) =>
  configSchema.parse(parse(await readFile(join(state, 'starling.yaml'), 'utf8')));

describe('five questions', () => {
  test('with their defaults write a configuration that the daemon takes', async () => {
    const state = await temporaryDirectory();
    const { prompter, asked } = person('', '', 'half', 'at any hour, but', 'nobody', true);
    await runInit({}, { state }, { prompter, machine: MACHINE, now: NOW });
    expect(asked.filter((message) => /^\d of 5/.test(message))).toHaveLength(5);
    const { network, resources, policy } = await configOf(state);
    expect(network).toBe('starling');
    expect(policy.trust).toEqual([]);
    expect(resources).toMatchObject({ memory: 8 * GIB, hours: [], pauseOnBattery: true });
    expect(resources.trainer).toMatchObject({ cpuThreads: 4, cpuShare: 1 });
    expect(printed).toContain(`starling up --detach --state ${state}`);
    expect((await stat(join(state, 'starling.yaml'))).mode & 0o777).toBe(0o600);
  });

  test('are asked again where the answer cannot be, with the reason', async () => {
    const state = await temporaryDirectory();
    const path = await csv();
    const { prompter, refusals, left } = person(
      ...['Ward 7', 'starling1-broken', 'ward-7'],
      ...['/nowhere', `"${path}" --classes apple`, `"${path}" --bogus`, `"${path}" --task fruit`],
      ...['numbers', '0', '2', '4 GB', '3 GiB', 'fast', '2 MiB/s'],
      ...['at hours', 'late', '22:00-06:00, 12:00-13:00'],
      ...['those', 'nobody', `${PEER}`],
      true,
    );
    await runInit({}, { state }, { prompter, machine: MACHINE, now: NOW });
    expect(left).toEqual([]);
    expect(refusals).toEqual([
      expect.stringContaining('small letters'),
      expect.stringContaining('invite'),
      expect.stringContaining('/nowhere'),
      expect.stringContaining('names no two different classes'),
      expect.stringContaining('--bogus'),
      expect.any(String),
      expect.stringContaining('512 MiB'),
      expect.stringContaining('2 MiB/s'),
      expect.stringContaining('22:00-07:00'),
      expect.stringContaining('peer id'),
    ]);
    expect(await configOf(state)).toMatchObject({
      network: 'ward-7',
      policy: { trust: [PEER] },
      resources: {
        ...{ memory: 3 * GIB, upload: 2 * 2 ** 20, hours: ['22:00-06:00', '12:00-13:00'] },
        trainer: { cpuThreads: 2 },
      },
    });
    expect(printed).toContain(`starling data add my-fruit '${path}' --task fruit`);
  });

  test('are not asked where options have answered', async () => {
    const state = await temporaryDirectory();
    const { prompter, asked } = person(true);
    const given = { swarm: 'w', data: null, cpuThreads: 1, hours: [], trust: [] };
    await runInit(given, { state }, { prompter, machine: MACHINE, now: NOW });
    expect(asked).toEqual([expect.stringContaining('Write it to')]);
  });

  test('no at the end leaves everything as it was', async () => {
    const state = await temporaryDirectory();
    await writeFile(join(state, 'starling.yaml'), 'network: old\n');
    const { prompter, asked } = person('', '', 'half', 'at night', 'nobody', false);
    await runInit({}, { state }, { prompter, machine: MACHINE, now: NOW });
    expect(asked.at(-1)).toMatch(/is there. Replace it/);
    expect(await readdir(state)).toEqual(['starling.yaml']);
    expect(await readFile(join(state, 'starling.yaml'), 'utf8')).toBe('network: old\n');
    expect(process.exitCode).toBe(1);
  });
});

describe('without anybody to ask', () => {
  const alone = { prompter: undefined, machine: MACHINE, now: NOW };

  test('an existing configuration stays, or is kept beside the new one', async () => {
    const state = await temporaryDirectory();
    await writeFile(join(state, 'starling.yaml'), 'network: old\n');
    await expect(runInit({}, { state, yes: true }, alone)).rejects.toThrow(/--force/);
    expect(await readFile(join(state, 'starling.yaml'), 'utf8')).toBe('network: old\n');
    await runInit({}, { state, yes: true, force: true }, alone);
    const backup = 'starling.yaml.2026-11-30T12-00-00.bak';
    expect((await readdir(state)).sort()).toEqual(['starling.yaml', backup]);
    expect(await readFile(join(state, backup), 'utf8')).toBe('network: old\n');
    expect((await configOf(state)).network).toBe('starling');
  });

  test.each([
    ['swarm', { swarm: 'Ward 7' }],
    ['swarm', { swarm: 'starling1-x' }],
    ['memory', { memory: '4 GB' }],
    ['upload', { upload: 'fast' }],
    ['hours', { hours: ['late'] }],
    ['trust', { trust: ['nobody'] }],
    ['threads', { cpuThreads: 0 }],
    ['cpu-share', { cpuShare: 2 }],
    ['data', { data: '/nowhere' }],
  ])('a wrong %s is refused by its name, and nothing is written', async (key, given) => {
    const state = await temporaryDirectory();
    await expect(runInit(given, { state, yes: true }, alone)).rejects.toThrow(
      key === 'data' ? /nowhere/ : new RegExp(`^${key}: `),
    );
    expect(await readdir(state)).toEqual([]);
  });

  test('--json is one object with the next commands', async () => {
    const state = await temporaryDirectory();
    await runInit({ hours: ['22:00-07:00'] }, { state, yes: true, json: true }, alone);
    expect(JSON.parse(printed)).toMatchObject({
      ...{ path: join(state, 'starling.yaml'), backup: null },
      configuration: { resources: { hours: ['22:00-07:00'] } },
      next: [`starling up --detach --state ${state}`, `starling jobs --state ${state}`],
    });
  });

  test('a file of answers is checked by line and key', () => {
    expect(parseAnswers('swarm: w\nhours: [22:00-07:00]\n', 'a.yaml')).toEqual({
      ...{ swarm: 'w', hours: ['22:00-07:00'] },
    });
    expect(() => parseAnswers('swarm: w\nmemmory: 4 GiB\n', 'a.yaml')).toThrow(
      /a\.yaml, line 2, memmory: there is no such key/,
    );
  });
});

describe('an invite', () => {
  const admin = signingKeyFromSeed(new Uint8Array(32).fill(1));
  const issued = NOW / 1000 - 3600;
  const invite = inviteText(
    signInvite(
      {
        body: {
          swarm: {
            ...{ name: 'ward-7', access: 'members', admins: [admin.peerId], threshold: 1 },
            nonce: new Uint8Array(8),
          },
          ...{ role: 'trainer', singleUse: false, issuer: admin.peerId, issued },
          ...{ expires: issued + 7200, memberUntil: issued + 86_400, key: null },
          ...{ bootstrap: [], nonce: new Uint8Array(12) },
        },
        signatures: [],
      },
      admin,
    ),
  );

  test('is kept in a file of its owner, not in the configuration, nor shown', async () => {
    const state = await temporaryDirectory();
    const parts = { prompter: undefined, machine: MACHINE, now: NOW };
    await runInit({ swarm: invite }, { state, yes: true }, parts);
    const file = join(state, 'invite.txt');
    expect(await readFile(file, 'utf8')).toBe(`${invite}\n`);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readFile(join(state, 'starling.yaml'), 'utf8')).not.toMatch(/network|starling1/);
    expect(printed).not.toContain(invite);
    expect(printed).toContain(`starling swarm join - --state ${state} < ${file}`);
  });

  test('that has expired is refused before anything is written', async () => {
    const state = await temporaryDirectory();
    const late = { prompter: undefined, machine: MACHINE, now: NOW + 86_400_000 };
    const run = runInit({ swarm: invite }, { state, yes: true }, late);
    await expect(run).rejects.toThrow(/^swarm: .*expired/);
    expect(await readdir(state)).toEqual([]);
  });
});

describe('a share of a machine', () => {
  test.each([
    ['little', 8, { cpuThreads: 2, cpuShare: 1, memory: '4 GiB', upload: '1 MiB/s' }],
    ['half', 8, { cpuThreads: 4, cpuShare: 1, memory: '8 GiB', upload: null }],
    ['all', 8, { cpuThreads: 8, cpuShare: 1, memory: '14 GiB', upload: null }],
    ['half', 1, { cpuThreads: 1, cpuShare: 0.5, memory: '8 GiB', upload: null }],
  ] as const)('%s of %d CPUs', (share, cpus, expected) => {
    expect(shareOf(share, { ...MACHINE, cpus })).toEqual(expected);
  });

  test('never is too little for a trainer, on a machine however small', () => {
    for (const memory of [2 ** 28, GIB, 3 * GIB, 500 * GIB]) {
      const answers = defaultAnswers({ cpus: 1, memory, hasBattery: false });
      expect(configSchema.safeParse(configurationOf(answers)).success).toBe(true);
    }
  });

  test.each([
    [768 * 2 ** 20, '768 MiB'],
    [2.6 * GIB, '2.5 GiB'],
    [16 * GIB, '16 GiB'],
  ])('%d bytes are written %s', (bytes, text) => {
    expect(amountText(bytes)).toBe(text);
  });
});

test('the file says what its keys are for, and is what was decided', () => {
  const answers: Answers = { ...defaultAnswers(MACHINE), upload: '2 MiB/s', trust: [PEER] };
  const text = configurationText(configurationOf(answers));
  expect(parse(text)).toEqual(configurationOf(answers));
  expect(text).toMatch(/^ {2}# Launchers whose jobs start without asking/m);
  expect(text.match(/# Of daemon and trainer together/g)).toHaveLength(1);
});

test('data are looked at with the options of `data add`', async () => {
  const path = await csv();
  const found = await lookAt(`'${path}' --normalise standard`);
  expect(found).toMatchObject({ name: 'my-fruit', examples: 3, path });
  expect(found.command).toBe(`data add my-fruit '${path}' --normalise standard`);
  await expect(lookAt(`"${path}" second`)).rejects.toThrow(/give one path/);
});

test.each([
  ['./scans', 'scans'],
  ['/data/My Scans (2).parquet', 'My-Scans-2'],
  ['s3://bucket/images/', 'images'],
  ['/', 'data'],
  ['_x', 'x'],
])('data at %s are called %s', (path, name) => {
  expect(nameOf(path)).toBe(name);
});
