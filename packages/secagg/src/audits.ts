import { equalBytes } from '@starling/core';
import type { MessageOf } from '@starling/protocol-secagg';
import { drawn, drawnCount } from './draws.ts';
import { ownersOf } from './owners.ts';
import { isTag } from './ring/index.ts';
import {
  broadcast,
  type Draft,
  messageOf,
  nextRevision,
  once,
  own,
  type SessionState,
  survivorsOf,
} from './state.ts';
import type { ChunkOf } from './types.ts';

/**
 * Tags of members who are silent: drawn auditors fetch their chunks, check them against the COMMIT
 * and sign what they found. Spec §5.9.
 */

/**
 * The tag of a member's chunk: this peer's own finding, else what the member said itself, else what
 * its auditors agree on; undefined while there is none of these.
 */
export function tagOfMember(d: SessionState, of: number, chunk: number): Uint8Array | undefined {
  const own = d.chunkTags.get(`${chunk}/${of}`);
  if (own !== undefined) return own;
  return tagsOf(d, of)?.[chunk] ?? auditedTag(d, of, chunk);
}

const sound = new WeakMap<MessageOf<'tags'>, boolean>();
/** What a member said of its own chunks, when it is one tag for each. */
function tagsOf(d: SessionState, member: number): readonly Uint8Array[] | undefined {
  const message = messageOf(d, 'tags', member);
  if (message?.tags.length !== d.placement.length) return undefined;
  if (!sound.has(message)) sound.set(message, message.tags.every(isTag));
  return sound.get(message) ? message.tags : undefined;
}

function auditedTag(d: SessionState, of: number, chunk: number): Uint8Array | undefined {
  const found = auditsOf(d, of, chunk);
  const [first] = found;
  if (first === undefined || found.length < drawnCount(d)) return undefined;
  return found.every((tag) => equalBytes(tag, first)) ? first : undefined;
}

/** What the drawn auditors signed for a chunk. */
function auditsOf(d: SessionState, of: number, chunk: number): readonly Uint8Array[] {
  const signed = d.audits.get(`${chunk}/${of}`);
  if (signed === undefined) return [];
  return auditorsOf(d, of, chunk).flatMap((auditor) => signed.get(auditor) ?? []);
}

/** Whether auditors contradict each other, so that everybody must look itself. */
function isDisputed(d: SessionState, of: number, chunk: number): boolean {
  const found = auditsOf(d, of, chunk);
  return found.some((tag) => !equalBytes(tag, found[0]!));
}

const auditorsOf = (d: SessionState, of: number, chunk: number): readonly number[] =>
  drawn(d, { task: 'auditor', place: [of, chunk], without: of });

/** Survivors whose tags are not here although they had their time, or are gone. */
function silentMembers(d: SessionState): readonly number[] {
  const late = d.expired.has('verify/0');
  return survivorsOf(d).filter(
    (member) => (late || d.unreachable.has(member)) && tagsOf(d, member) === undefined,
  );
}

/**
 * Does this peer's part of the audits: fetch, tag, sign.
 * @param isWanted whether this peer verifies a chunk's sum itself
 */
export function audit(d: Draft, isWanted: (chunk: number) => boolean): void {
  if (d.tagSeed === undefined || d.done.has('abandoned')) return;
  const { self } = d.config;
  const mine: ChunkOf[] = [];
  const disputed: ChunkOf[] = [];
  for (const of of silentMembers(d)) {
    if (of === self) continue;
    for (const chunk of d.placement.keys()) {
      // What is verified here already the others may still need.
      if (auditorsOf(d, of, chunk).includes(self)) mine.push({ chunk, of });
      else if (isWanted(chunk) && !d.verified.has(chunk) && isDisputed(d, of, chunk)) {
        disputed.push({ chunk, of });
      }
    }
  }
  examine(d, [...mine, ...disputed]);
  signAudits(d, mine);
}

/** Fetches what is not here, and has what is here tagged. */
export function examine(d: Draft, wanted: readonly ChunkOf[]): void {
  const here: ChunkOf[] = [];
  for (const { chunk, of } of wanted) {
    const key = `${chunk}/${of}`;
    if (d.chunks.get(key)?.verified) {
      if (once(d, `tag-chunk/${key}`)) here.push({ chunk, of });
      continue;
    }
    const commit = messageOf(d, 'commit', of);
    if (commit !== undefined && once(d, `open/${key}`)) {
      const holders = ownersOf(d, chunk).filter((m) => m !== d.config.self);
      const from = [...holders, of].filter((m) => m !== d.config.self && !d.unreachable.has(m));
      d.effects.push({ kind: 'fetch-chunk', chunk, of, root: commit.root, from });
    }
  }
  if (here.length === 0) return;
  const compute = { task: 'tag-chunks', chunks: here, seed: d.tagSeed! } as const;
  d.effects.push({ kind: 'compute', compute });
}

/** One message for all this peer can say now; what is still on its way follows in another. */
function signAudits(d: Draft, mine: readonly ChunkOf[]): void {
  const ready = mine.filter(({ chunk, of }) => d.chunkTags.has(`${chunk}/${of}`));
  const rounds = [...d.expired].filter((timer) => timer.startsWith('verify/')).length;
  if (ready.length < mine.length && rounds === 0 && !d.expired.has('audits')) {
    if (once(d, 'audits-timer')) {
      const afterMs = d.config.timers.phaseMs / 2;
      d.effects.push({ kind: 'set-timer', timer: 'audits', afterMs });
    }
    return;
  }
  const news = ready.filter(({ chunk, of }) => !d.done.has(`audited/${chunk}/${of}`));
  const revision = nextRevision(d, 'audit');
  if (news.length === 0 || revision === undefined) return;
  const items = news.map(({ chunk, of }) => {
    own(d, 'done').add(`audited/${chunk}/${of}`);
    return { of, chunk, tag: d.chunkTags.get(`${chunk}/${of}`)! };
  });
  broadcast(d, { kind: 'audit', revision, items });
}
