import { readdirSync, readFileSync } from 'node:fs';

/** What a process and all that it started take, from `/proc`. */
export interface ProcessFigures {
  readonly residentBytes: number;
  /** Open files, sockets among them, of the process itself. */
  readonly handles: number;
  /** Resident bytes of the processes that it started. */
  readonly childrenBytes: number;
}

const PAGE_BYTES = 4096;

/** Figures of many processes at one moment; those that are gone are left out. */
export function processFigures(pids: readonly number[]): ReadonlyMap<number, ProcessFigures> {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const parent = parentOf(Number(name));
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const below = (pid: number): number =>
    (children.get(pid) ?? []).reduce((sum, child) => sum + residentOf(child) + below(child), 0);
  const figures = new Map<number, ProcessFigures>();
  for (const pid of pids) {
    const handles = handlesOf(pid);
    if (handles === undefined) continue;
    figures.set(pid, { residentBytes: residentOf(pid), handles, childrenBytes: below(pid) });
  }
  return figures;
}

function parentOf(pid: number): number | undefined {
  const stat = contents(`/proc/${pid}/stat`);
  // The name in parentheses may hold anything; what follows it is the state and the parent.
  const after = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return after && Number(after[1]);
}

function residentOf(pid: number): number {
  const pages = contents(`/proc/${pid}/statm`)?.split(' ')[1];
  return Number(pages ?? 0) * PAGE_BYTES;
}

function handlesOf(pid: number): number | undefined {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return undefined;
  }
}

/** A process may end between two looks at it. */
function contents(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
