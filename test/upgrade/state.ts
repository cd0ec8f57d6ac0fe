import { cp, mkdir, readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { ControlClient } from '@starling/control';
import { compareText } from '@starling/core';

/** Recorded state directories, one folder for each release or change of format. */
export const RECORDED = join(import.meta.dirname, '../fixtures/upgrade');

/** What only a running daemon has there, and what LevelDB tells of itself. */
const PASSING = new Set(['control.sock', 'daemon.log', 'lock', 'LOG', 'LOG.old']);

/** What must be there again when a later version opens the directory. Data sets are elsewhere. */
export async function contentOf(client: ControlClient) {
  const { peerId } = await client.status();
  const jobs = (await client.jobs()).toSorted((a, b) => compareText(a.id, b.id));
  const { id, name, kind, role } = await client.swarm.show();
  const { members: _, vouching: __, ...policy } = await client.policy();
  return {
    peerId,
    jobs: jobs.map((job) => ({
      ...{ id: job.id, name: job.name, launcher: job.launcher, phase: job.phase },
      rounds: job.rounds.map(({ stateHash, certificate, survivors, loss }) => {
        return { stateHash, certificate, survivors, loss };
      }),
    })),
    privacy: (await client.privacy()).datasets,
    swarm: { id, name, kind, role },
    members: (await client.swarm.members()).map(({ peer, role: its }) => ({ peer, role: its })),
    policy,
  };
}

/** Copies a state directory that no daemon uses. */
export async function copyState(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true });
  await mkdir(to, { recursive: true, mode: 0o700 });
  for (const name of await readdir(from)) {
    if (PASSING.has(name)) continue;
    const filter = (path: string) => !PASSING.has(basename(path));
    await cp(join(from, name), join(to, name), { recursive: true, filter });
  }
}
