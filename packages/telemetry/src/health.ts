import type { Status } from '@starling/control';

/** Words are for strangers, too: what exactly is wrong stands in the log. */
export interface Verdict {
  readonly ok: boolean;
  readonly status: string;
}

/** A disk that takes longer for a few bytes is as good as gone. */
export const JOURNAL_SECONDS_MAX = 5;

/**
 * Whether the process is to be left running: its loop turns, since it answers, and its journal
 * takes a write. A supervisor may start again one that is not.
 * @param journalSeconds how long a write of now took to be on disk; null when it failed
 */
export function health(journalSeconds: number | null): Verdict {
  if (journalSeconds === null) return { ok: false, status: 'the journal cannot be written' };
  if (journalSeconds > JOURNAL_SECONDS_MAX) return { ok: false, status: 'the disk is too slow' };
  return { ok: true, status: 'alive' };
}

export interface ReadyFacts extends Pick<Status, 'peers' | 'bootstrap'> {
  /** In its swarm: `member`, or why it is none. */
  readonly standing: string;
}

/**
 * Whether this peer is of use to others: its swarm lets it in, and it is connected to a peer or
 * was told no address to enter by. Not being ready is no reason to start it again.
 */
export function ready({ peers, bootstrap, standing }: ReadyFacts): Verdict {
  if (standing !== 'member') return { ok: false, status: 'not a member of its swarm' };
  if (peers.length === 0 && bootstrap.length > 0) {
    return { ok: false, status: 'connected to no peer' };
  }
  return { ok: true, status: 'ready' };
}
