import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '@starling/core';
import { errorCode, unlessMissing } from './files.ts';

/** Numbers drafts, so that two calls in one process do not share a file. */
let drafts = 0;

/** The pid and, where the system tells, when that process started: pids are used again. */
interface Holder {
  readonly pid: number;
  readonly started: string | null;
}

/**
 * Takes `directory` for this process and answers with the release. A lock whose process is gone is
 * taken over; should two processes do so in the same instant, LevelDB's own lock stops the second.
 * @throws ConfigError naming the process that holds it
 */
export async function takeLock(directory: string): Promise<() => Promise<void>> {
  const path = join(directory, 'lock');
  const own = JSON.stringify({ pid: process.pid, started: await startOf(process.pid) });
  const draft = join(directory, `lock.${process.pid}.${++drafts}`);
  await writeFile(draft, own, { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < 3; attempt++) {
      // A link either makes the whole lock file or fails: no reader ever sees half of one.
      if (await linked(draft, path)) return () => release(path, own);
      const holder = await holderOf(path);
      if (holder !== undefined && (await isAlive(holder))) throw heldBy(directory, holder);
      await rm(path, { force: true });
    }
  } finally {
    await rm(draft, { force: true });
  }
  throw new ConfigError('stateDirectory', `cannot lock ${directory}: others keep taking it`);
}

function heldBy(directory: string, { pid }: Holder): ConfigError {
  return new ConfigError(
    'stateDirectory',
    `${directory} is in use by process ${pid}`,
    `Stop that daemon first (kill ${pid}) or choose another state directory`,
  );
}

async function release(path: string, own: string): Promise<void> {
  const current = await unlessMissing(readFile(path, 'utf8'));
  if (current === own) await rm(path, { force: true });
}

async function linked(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Undefined when the file is gone or unreadable; both mean that nobody holds the lock. */
async function holderOf(path: string): Promise<Holder | undefined> {
  const text = await unlessMissing(readFile(path, 'utf8'));
  const match = /^\{"pid":(\d+),"started":(?:null|"(\d+)")\}$/.exec(text ?? '');
  return match === null ? undefined : { pid: Number(match[1]), started: match[2] ?? null };
}

async function isAlive({ pid, started }: Holder): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: there is such a process, of another user.
    if (errorCode(error) !== 'EPERM') return false;
  }
  const now = await startOf(pid);
  return started === null || now === null || started === now;
}

/** Field 22 of /proc/PID/stat, counted after the name in brackets; null where there is no /proc. */
async function startOf(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}
