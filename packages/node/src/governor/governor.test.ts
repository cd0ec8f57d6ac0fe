import { readdirSync, readFileSync } from 'node:fs';
import type { PeerId } from '@starling/core';
import { describe, expect, test } from 'vitest';
import { VirtualTime } from '../../../sim/src/virtual-time.ts';
import { isOnBattery, isWithin, OthersLoad, parseHours } from './conditions.ts';
import { containerLimits } from './container.ts';
import { Governor, type PauseReason, type ResourceLimits } from './governor.ts';
import type { MachineFiles } from './machine-files.ts';

/** Files by their absolute paths. */
function tree(files: Record<string, string>): MachineFiles {
  return {
    text: (path) => files[path],
    names: (path) => {
      const below = Object.keys(files).filter((each) => each.startsWith(`${path}/`));
      return [...new Set(below.map((each) => each.slice(path.length + 1).split('/')[0]!))];
    },
  };
}

const GIB = 2 ** 30;
const V2_MOUNT = '30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n';

describe('limits of control groups', () => {
  test('version 2: the strictest of the group and those above it', () => {
    const files = tree({
      '/proc/self/cgroup': '0::/user.slice/app.slice/starling.service\n',
      '/proc/self/mountinfo': V2_MOUNT,
      '/sys/fs/cgroup/user.slice/app.slice/starling.service/memory.max': 'max\n',
      '/sys/fs/cgroup/user.slice/app.slice/starling.service/memory.high': `${3 * GIB}\n`,
      '/sys/fs/cgroup/user.slice/app.slice/starling.service/cpu.max': 'max 100000\n',
      '/sys/fs/cgroup/user.slice/app.slice/memory.max': `${2 * GIB}\n`,
      '/sys/fs/cgroup/user.slice/cpu.max': '150000 100000\n',
    });
    expect(containerLimits(files)).toEqual({ memoryBytes: 2 * GIB, cpus: 1.5, version: 2 });
  });

  test('version 2 inside a container, which sees its own group as the root', () => {
    const files = tree({
      '/proc/self/cgroup': '0::/\n',
      '/proc/self/mountinfo': V2_MOUNT,
      '/sys/fs/cgroup/memory.max': '536870912\n',
      '/sys/fs/cgroup/cpu.max': '50000 100000\n',
    });
    expect(containerLimits(files)).toEqual({ memoryBytes: GIB / 2, cpus: 0.5, version: 2 });
  });

  test('version 1, also where the group lies outside of what is mounted', () => {
    const mount = (name: string, root: string) =>
      `36 35 0:31 ${root} /sys/fs/cgroup/${name} ro - cgroup cgroup rw,${name}\n`;
    const files = tree({
      '/proc/self/cgroup': '4:memory:/docker/abc\n1:cpu,cpuacct:/docker/abc\n0::/\n',
      '/proc/self/mountinfo':
        mount('memory', '/docker/other') +
        '37 35 0:32 / /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': `${GIB}\n`,
      '/sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us': '-1\n',
      '/sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us': '300000\n',
      '/sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_period_us': '100000\n',
    });
    expect(containerLimits(files)).toEqual({ memoryBytes: GIB, cpus: 3, version: 1 });
    const none = tree({
      '/proc/self/cgroup': '4:memory:/\n',
      '/proc/self/mountinfo': mount('memory', '/'),
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
    });
    expect(containerLimits(none)).toEqual({});
  });

  test.runIf(process.platform === 'linux')(
    'those of this process, as the kernel tells them',
    () => {
      const live: MachineFiles = {
        text: (path) => {
          try {
            return readFileSync(path, 'utf8');
          } catch {
            return undefined;
          }
        },
        names: (path) => readdirSync(path),
      };
      const { memoryBytes } = containerLimits(live);
      const constrained = process.constrainedMemory();
      // Node says 0, or more than any machine has, where there is no limit.
      const told = constrained > 0 && constrained < 2 ** 60 ? constrained : undefined;
      if (told !== undefined) expect(memoryBytes).toBeLessThanOrEqual(told);
      else expect(memoryBytes ?? GIB).toBeGreaterThan(0);
    },
  );
});

test('hours may go over midnight', () => {
  const spans = [parseHours('22:00-07:00')!, parseHours('12:30-13:00')!];
  const at = (hour: number, minute = 0) => isWithin(spans, 60 * hour + minute);
  expect([at(22), at(23, 59), at(0), at(6, 59), at(12, 30)]).toEqual(Array(5).fill(true));
  expect([at(7), at(12), at(13), at(21, 59)]).toEqual(Array(4).fill(false));
  expect(isWithin([], 5)).toBe(true);
  expect(parseHours('00:00-24:00')).toEqual({ from: 0, to: 1440 });
  for (const wrong of ['7-8', '25:00-26:00', '08:00-08:00', '08:00-24:30', 'night']) {
    expect(parseHours(wrong)).toBeUndefined();
  }
});

test('the machine is on battery when a battery of its own discharges and nothing feeds it', () => {
  const supply = (name: string, files: Record<string, string>) =>
    Object.fromEntries(
      Object.entries(files).map(([file, text]) => [
        `/sys/class/power_supply/${name}/${file}`,
        text,
      ]),
    );
  const discharging = supply('BAT0', { type: 'Battery\n', status: 'Discharging\n' });
  const mouse = supply('hid', { type: 'Battery\n', scope: 'Device\n', status: 'Discharging\n' });
  const plug = (online: string) => supply('AC', { type: 'Mains\n', online });
  expect(isOnBattery(tree({ ...discharging, ...plug('0\n') }))).toBe(true);
  expect(isOnBattery(tree({ ...discharging, ...plug('1\n') }))).toBe(false);
  expect(isOnBattery(tree(mouse))).toBe(false);
  expect(isOnBattery(tree(supply('BAT0', { type: 'Battery\n', status: 'Full\n' })))).toBe(false);
  expect(isOnBattery(tree({}))).toBe(false);
});

/** A machine of which a test says how it is. */
class Machine {
  readonly files: Record<string, string> = {};
  readonly time = new VirtualTime();
  readonly changes: (readonly PauseReason[])[] = [];
  limits: ResourceLimits = { hours: [], pauseOnBattery: true };
  minute = 600;
  memory = 0;
  #busy = 0;
  #idle = 0;
  #own = 0;

  readonly governor = new Governor({
    clock: this.time.clock(() => true),
    files: tree(this.files),
    limits: () => this.limits,
    minuteOfDay: () => this.minute,
    memoryUsed: () => this.memory,
    processes: () => [7],
    onChange: (reasons) => this.changes.push(reasons),
  });

  /** A second of which others and we use a part, in hundredths. */
  async second({ others = 0, own = 0 } = {}): Promise<void> {
    for (let half = 0; half < 2; half++) {
      this.#busy += (others + own) / 2;
      this.#own += own / 2;
      this.#idle += (100 - others - own) / 2;
      this.files['/proc/stat'] = `cpu  0 ${this.#busy} 0 ${this.#idle} 0 0 0 0 0 0\ncpu0 1\n`;
      this.files['/proc/7/stat'] = `7 (st arling) S ${'0 '.repeat(10)}${this.#own} 0 0 0`;
      await this.time.step();
    }
  }
}

describe('a governor', () => {
  test('pauses within a second for each reason, and goes on when it has passed', async () => {
    const machine = new Machine();
    machine.limits = { ...machine.limits, memory: 100, hours: [parseHours('08:00-20:00')!] };
    machine.governor.start();
    expect(machine.governor.paused).toEqual([]);
    machine.minute = 20 * 60;
    await machine.second();
    expect(machine.governor.paused).toEqual(['hours']);
    machine.memory = 101;
    machine.files['/sys/class/power_supply/B/type'] = 'Battery';
    machine.files['/sys/class/power_supply/B/status'] = 'Discharging';
    machine.minute = 600;
    await machine.second();
    expect(machine.governor.paused).toEqual(['battery', 'memory']);
    machine.limits = { ...machine.limits, pauseOnBattery: false, memory: undefined };
    await machine.second();
    expect(machine.changes).toEqual([['hours'], ['battery', 'memory'], []]);
    machine.governor.stop();
    expect(machine.governor.status().memoryUsed).toBe(101);
  });

  test('does not take its own training for somebody else’s work', async () => {
    const machine = new Machine();
    machine.limits = { ...machine.limits, pauseWhenBusy: 0.6 };
    machine.governor.start();
    for (let i = 0; i < 4; i++) await machine.second({ own: 90 });
    expect(machine.governor.paused).toEqual([]);
    for (let i = 0; i < 4; i++) await machine.second({ own: 20, others: 70 });
    expect(machine.governor.paused).toEqual(['busy']);
    // Below the limit, but not by enough to go back and forth.
    for (let i = 0; i < 4; i++) await machine.second({ others: 50 });
    expect(machine.governor.paused).toEqual(['busy']);
    for (let i = 0; i < 4; i++) await machine.second({ others: 20 });
    expect(machine.governor.paused).toEqual([]);
    machine.files['/proc/pressure/memory'] = 'some avg10=35.10 avg60=1.00 avg300=0.00 total=1\n';
    await machine.second();
    expect(machine.governor.paused).toEqual(['busy']);
    expect(machine.governor.status().memoryPressure).toBeCloseTo(0.351);
  });

  test('a cap that is changed counts within a second', async () => {
    const machine = new Machine();
    const peer = 'a' as PeerId;
    machine.limits = { ...machine.limits, upload: 1 };
    machine.governor.start();
    machine.governor.bandwidth.up.charge(1_000_000);
    let isGone = false;
    void machine.governor.bandwidth.up.take(10, peer)?.then(() => {
      isGone = true;
    });
    machine.limits = { ...machine.limits, upload: undefined };
    await machine.second();
    expect(isGone).toBe(true);
  });
});

test('without /proc nothing is known of others', () => {
  expect(new OthersLoad(tree({}), () => []).read()).toBeUndefined();
});
