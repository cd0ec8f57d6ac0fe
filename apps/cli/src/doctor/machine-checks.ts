import { bytesText } from '../output.ts';
import { type Check, type Finding, fail, ok, skipped, warn } from './check.ts';
import type { DirectoryState, Machine } from './machine.ts';

const NODE_MIN = [20, 19] as const;
const MIB = 2 ** 20;
const GIB = 2 ** 30;
/** A model, its states of a few rounds and the journal. */
const DISK_MIN = 256 * MIB;
const DISK_SCARCE = 2 * GIB;
const FILES_MIN = 256;
/** Connections to many peers, and files beside them. */
const FILES_SCARCE = 1024;
/** No release is older: a clock that says less was never set. */
const CLOCK_MIN = Date.UTC(2026, 0, 1);
/** What invites and credentials forgive. */
const CLOCK_TOLERANCE_MS = 5 * 60_000;

/** @param error why the configuration cannot be used; the other checks go by the defaults then */
export function configCheck(file: string | undefined, error: string | undefined): Check {
  return {
    id: 'config',
    title: 'Configuration',
    async run() {
      if (error !== undefined) {
        return [fail(error, 'Mend the file; `starling up` refuses it with the same words')];
      }
      return [ok(file === undefined ? 'none, so the defaults hold' : `${file} can be used`)];
    },
  };
}

export function nodeCheck({ nodeVersion }: Machine): Check {
  return {
    id: 'node',
    title: 'Node.js',
    async run() {
      const [major = 0, minor = 0] = nodeVersion.split('.').map(Number);
      const [least, leastMinor] = NODE_MIN;
      if (major > least || (major === least && minor >= leastMinor)) return [ok(`v${nodeVersion}`)];
      const what = `v${nodeVersion}, and Starling needs ${NODE_MIN.join('.')} or later`;
      return [fail(what, 'Install a newer Node.js, for instance from nodejs.org')];
    },
  };
}

export function stateCheck(machine: Machine, path: string): Check {
  return {
    id: 'state',
    title: 'State directory',
    async run() {
      const state = await machine.directory(path);
      const { at, exists, refused, mode } = state;
      if (refused !== undefined) {
        const next = 'Give this user the right to write there, or choose another with --state';
        return [fail(`${path}: cannot write to ${at} (${refused})`, next)];
      }
      const place = exists ? `${path} is writable` : `${path} is made when it is first needed`;
      return [ok(place), ...privacyOf(machine, path, mode), disk(state)];
    },
  };
}

/** The identity's seed lies there. */
function privacyOf({ platform }: Machine, path: string, mode: number | undefined): Finding[] {
  if (mode === undefined || platform === 'win32' || (mode & 0o077) === 0) return [];
  const what = `${path} has mode ${mode.toString(8)}: other users can look into it`;
  return [warn(what, `Run chmod 700 ${path}`)];
}

function disk({ at, freeBytes }: DirectoryState): Finding {
  const what = `${bytesText(freeBytes)} free on the disk of ${at}`;
  const next = 'Free some disk space, or choose another directory with --state';
  if (freeBytes < DISK_MIN)
    return fail(`${what}, at least ${bytesText(DISK_MIN)} are needed`, next);
  return freeBytes < DISK_SCARCE ? warn(`${what}: a few models fill it`, next) : ok(what);
}

/** @param wanted bytes that a training may take by the configuration, if it says so */
export function memoryCheck(machine: Machine, least: number, wanted?: number): Check {
  return {
    id: 'memory',
    title: 'Memory',
    async run() {
      const free = machine.availableMemory();
      const what = `${bytesText(free)} can still be taken`;
      const next = 'End other programs, or raise the limit of memory of this container or service';
      if (free < least) return [fail(`${what}, and a training takes ${bytesText(least)}`, next)];
      if (wanted !== undefined && free < wanted) {
        const more = `${what}, and resources.trainer.memory allows a training ${bytesText(wanted)}`;
        return [warn(more, 'Lower resources.trainer.memory in the configuration')];
      }
      return [free < GIB ? warn(`${what}: enough for small models only`, next) : ok(what)];
    },
  };
}

export function filesCheck(machine: Machine): Check {
  return {
    id: 'files',
    title: 'Open files',
    async run() {
      const most = machine.openFilesMax();
      if (most === undefined) return [skipped(`${machine.platform} does not tell the limit`)];
      const what = `at most ${most} open files`;
      const next = 'Run ulimit -n 4096 before it starts, or set LimitNOFILE in its systemd unit';
      if (most < FILES_MIN) return [fail(`${what}, and each peer takes one: too few`, next)];
      return [
        most < FILES_SCARCE ? warn(`${what}: enough for a small swarm only`, next) : ok(what),
      ];
    },
  };
}

export function clockCheck(machine: Machine, path: string): Check {
  return {
    id: 'clock',
    title: 'Clock',
    async run() {
      const now = machine.now();
      const said = new Date(now).toISOString();
      const next = 'Set the clock, for instance by an NTP service: invites expire by it';
      if (now < CLOCK_MIN) return [fail(`it says ${said}, before this program was made`, next)];
      const { newest } = await machine.directory(path);
      if (newest !== undefined && newest > now + CLOCK_TOLERANCE_MS) {
        const later = new Date(newest).toISOString();
        const what = `it says ${said}, and a file in ${path} was written at ${later}`;
        return [fail(what, next)];
      }
      return [ok(`it says ${said}`)];
    },
  };
}
