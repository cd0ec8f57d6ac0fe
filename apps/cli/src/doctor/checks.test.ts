import { type DeviceChoice, MEMORY_MIN, type PrecisionChoice } from '@starling/trainer';
import { describe, expect, test } from 'vitest';
import { type Check, fail, hasFailed, ok, runChecks, skipped, warn } from './check.ts';
import type { DirectoryState, Machine } from './machine.ts';
import {
  clockCheck,
  configCheck,
  filesCheck,
  memoryCheck,
  nodeCheck,
  stateCheck,
} from './machine-checks.ts';
import { cageCheck, devicesCheck, type TrainerProbe, trainerCheck } from './trainer-checks.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const PATH = '/srv/starling';

const sound: DirectoryState = {
  ...{ at: PATH, exists: true, refused: undefined, mode: 0o700 },
  ...{ freeBytes: 50 * GIB, newest: Date.UTC(2026, 5, 1) },
};

function machine(
  change: Partial<Omit<Machine, 'directory'>> & { directory?: Partial<DirectoryState> } = {},
): Machine {
  const { directory, ...rest } = change;
  return {
    ...{ platform: 'linux', nodeVersion: '20.19.0', now: () => Date.UTC(2026, 5, 2) },
    ...{ availableMemory: () => 8 * GIB, openFilesMax: () => 4096 },
    directory: async () => ({ ...sound, ...directory }),
    ...rest,
  };
}

const NO_SPACE = 'Free some disk space, or choose another directory with --state';
const NTP = 'Set the clock, for instance by an NTP service: invites expire by it';
const FILES = 'Run ulimit -n 4096 before it starts, or set LimitNOFILE in its systemd unit';
const MEMORY = 'End other programs, or raise the limit of memory of this container or service';
const NODE = 'Install a newer Node.js, for instance from nodejs.org';

describe('a machine', () => {
  test.each([
    ['20.19.0', ok('v20.19.0')],
    ['22.1.0', ok('v22.1.0')],
    ['20.18.3', fail('v20.18.3, and Starling needs 20.19 or later', NODE)],
    ['18.20.0', fail('v18.20.0, and Starling needs 20.19 or later', NODE)],
  ])('with Node.js %s', async (nodeVersion, finding) => {
    expect(await nodeCheck(machine({ nodeVersion })).run()).toEqual([finding]);
  });

  test.each([
    [{}, ok(`${PATH} is writable`)],
    [
      { exists: false, at: '/srv', mode: undefined, newest: undefined },
      ok(`${PATH} is made when it is first needed`),
    ],
    [
      { refused: 'the file system is read-only' },
      fail(
        `${PATH}: cannot write to ${PATH} (the file system is read-only)`,
        'Give this user the right to write there, or choose another with --state',
      ),
    ],
    [
      { mode: 0o755 },
      warn(`${PATH} has mode 755: other users can look into it`, `Run chmod 700 ${PATH}`),
    ],
    [
      { freeBytes: 100 * MIB },
      fail(`100.0 MiB free on the disk of ${PATH}, at least 256.0 MiB are needed`, NO_SPACE),
    ],
    [
      { freeBytes: GIB },
      warn(`1.0 GiB free on the disk of ${PATH}: a few models fill it`, NO_SPACE),
    ],
  ])('with a state directory of %j', async (directory, finding) => {
    expect(await stateCheck(machine({ directory }), PATH).run()).toContainEqual(finding);
  });
});

describe('resources of a machine', () => {
  test.each([
    [8 * GIB, undefined, ok('8.0 GiB can still be taken')],
    [
      100 * MIB,
      undefined,
      fail('100.0 MiB can still be taken, and a training takes 256.0 MiB', MEMORY),
    ],
    [
      700 * MIB,
      undefined,
      warn('700.0 MiB can still be taken: enough for small models only', MEMORY),
    ],
    [
      2 * GIB,
      4 * GIB,
      warn(
        '2.0 GiB can still be taken, and resources.trainer.memory allows a training 4.0 GiB',
        'Lower resources.trainer.memory in the configuration',
      ),
    ],
  ])('with %d bytes of memory where %s are wanted', async (free, wanted, finding) => {
    const check = memoryCheck(machine({ availableMemory: () => free }), MEMORY_MIN, wanted);
    expect(await check.run()).toEqual([finding]);
  });

  test.each([
    [4096, ok('at most 4096 open files')],
    [512, warn('at most 512 open files: enough for a small swarm only', FILES)],
    [64, fail('at most 64 open files, and each peer takes one: too few', FILES)],
    [undefined, skipped('linux does not tell the limit')],
  ])('with a limit of %s open files', async (most, finding) => {
    expect(await filesCheck(machine({ openFilesMax: () => most })).run()).toEqual([finding]);
  });

  test.each([
    [Date.UTC(2026, 5, 2), ok('it says 2026-06-02T00:00:00.000Z')],
    [0, fail('it says 1970-01-01T00:00:00.000Z, before this program was made', NTP)],
    [
      Date.UTC(2026, 4, 1),
      fail(
        `it says 2026-05-01T00:00:00.000Z, and a file in ${PATH} was written at ` +
          '2026-06-01T00:00:00.000Z',
        NTP,
      ),
    ],
  ])('whose clock says %d', async (now, finding) => {
    expect(await clockCheck(machine({ now: () => now }), PATH).run()).toEqual([finding]);
  });

  test('with a configuration that cannot be used', async () => {
    const error = 'starling.yaml, line 3, resources.trainer.device: Invalid option';
    const next = 'Mend the file; `starling up` refuses it with the same words';
    expect(await configCheck('starling.yaml', error).run()).toEqual([fail(error, next)]);
    expect(await configCheck('a.yaml', undefined).run()).toEqual([ok('a.yaml can be used')]);
    expect(await configCheck(undefined, undefined).run()).toEqual([
      ok('none, so the defaults hold'),
    ]);
  });
});

const probe = (change: Partial<TrainerProbe> = {}): TrainerProbe => ({
  start: async () => {},
  devices: async () => [],
  support: async () => ({ isolation: 'sealed', memoryLimit: true, privileges: true, missing: [] }),
  cage: async () => ['memory: 1024 MiB, by the kernel'],
  ...change,
});

describe('a trainer', () => {
  test('that works, and one that does not start', async () => {
    expect(await trainerCheck(probe()).run()).toEqual([
      ok('its process starts, loads ONNX Runtime and reads a model'),
    ]);
    const start = () => Promise.reject(new Error('GLIBC_2.28 not found'));
    expect(await trainerCheck(probe({ start })).run()).toEqual([
      fail(
        'its process does not work: GLIBC_2.28 not found',
        'Install again with `npm ci`; ONNX Runtime needs glibc 2.28 or later',
      ),
    ]);
  });

  test('has devices, found or not, and a warning for one that was asked for by name', async () => {
    const devices = async () => [
      { device: 'cuda', usable: false, detail: 'no NVIDIA GPU: no /dev/nvidia0' } as const,
      {
        ...({ device: 'webgpu', usable: true, detail: 'trains a small perceptron' } as const),
        float16: { usable: true, detail: '1.5 ms a step' },
      },
    ];
    const found = [
      ok('cpu: always there'),
      skipped('cuda: no NVIDIA GPU: no /dev/nvidia0'),
      ok('webgpu: trains a small perceptron'),
      ok('webgpu, float16: yes, 1.5 ms a step'),
    ];
    const check = (device: DeviceChoice, precision: PrecisionChoice = 'float32') =>
      devicesCheck(probe({ devices }), { device, precision }).run();
    expect(await check('auto')).toEqual(found);
    expect(await check('auto', 'float16')).toEqual(found);
    const next = 'Do what the reason says, or set resources.trainer.device to auto';
    const what =
      'cuda: no NVIDIA GPU: no /dev/nvidia0. Jobs train on the CPU, though the configuration ' +
      'says cuda';
    expect(await check('cuda')).toContainEqual(warn(what, next));
    expect(await check('dml')).toContainEqual(
      warn(
        'dml: it is not for this platform. Jobs train on the CPU, though the configuration ' +
          'says dml',
        next,
      ),
    );
  });

  test('has no float16, and says why, as a warning where it is asked for', async () => {
    const float16 = { usable: false, detail: 'the device has no shader-f16' };
    const devices = async () => [
      { device: 'webgpu', usable: true, detail: 'trains a small perceptron', float16 } as const,
    ];
    const found = [
      ok('cpu: always there'),
      ok('webgpu: trains a small perceptron'),
      skipped('webgpu, float16: no, because the device has no shader-f16'),
    ];
    const check = (precision: PrecisionChoice) =>
      devicesCheck(probe({ devices }), { device: 'auto', precision }).run();
    expect(await check('auto')).toEqual(found);
    const what =
      'float16: no device has it. Jobs train in float32, though the configuration says float16';
    const next = 'Set resources.trainer.precision to float32 or auto';
    expect(await check('float16')).toEqual([...found, warn(what, next)]);
  });

  test('is shut in as far as it goes: what is missing is a warning with a next step', async () => {
    expect(await cageCheck(probe(), 'linux').run()).toEqual([
      ok('memory: 1024 MiB, by the kernel'),
    ]);
    const missing = [
      'no prlimit: memory is watched',
      'no user namespaces: the trainer has the network',
    ];
    const open = probe({
      support: async () => ({
        ...{ isolation: 'open', memoryLimit: false, privileges: true, missing },
      }),
      cage: async () => ['time: 60 s per step', ...missing],
    });
    const [inForce, memory, network] = await cageCheck(open, 'linux').run();
    expect(inForce).toEqual(ok('time: 60 s per step'));
    expect(memory).toEqual(warn(missing[0]!, 'Install util-linux 2.33 or later'));
    expect(network).toMatchObject({ verdict: 'warn', evidence: missing[1] });
    expect(network!.next).toContain('sysctl kernel.unprivileged_userns_clone=1');
    const [, elsewhere] = await cageCheck(open, 'darwin').run();
    expect(elsewhere!.next).toMatch(/a user of its own/);
  });
});

describe('the checks together', () => {
  const check = (id: string, run: Check['run']): Check => ({ id, title: id, run });

  test('run in their order, one that breaks is a failure and the others go on', async () => {
    const seen: string[] = [];
    const results = await runChecks(
      [
        check('first', async () => [ok('fine')]),
        check('second', async () => {
          throw new Error('no such call');
        }),
        check('third', async () => [skipped('not here')]),
      ],
      ({ id }) => seen.push(id),
    );
    expect(seen).toEqual(['first', 'second', 'third']);
    expect(results[1]!.findings).toEqual([
      fail('the check itself broke: no such call', 'Report this with the output of --json'),
    ]);
    expect(hasFailed(results)).toBe(true);
  });

  test('have failed only by a failure', async () => {
    const all = [check('all', async () => [ok('a'), warn('b', 'c'), skipped('d')])];
    expect(hasFailed(await runChecks(all))).toBe(false);
  });
});
