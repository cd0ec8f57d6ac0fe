import { toHex } from '@starling/core';
import type { SecaggMessage } from '@starling/protocol-secagg';
import { hashOfValue } from '../decide.ts';
import { maskTo } from '../ring/index.ts';
import type { SessionOutcome } from '../types.ts';
import type { CellMember, CellRun, Deed } from './cell.ts';

/** Every rule that this run broke, in words; see design decisions 9, 9b and 10. */
export function violations(run: CellRun): readonly string[] {
  return [
    ...bothKinds(run.deeds),
    ...wrongSums(run),
    ...mixedOutcomes(run),
    ...brokenPromises(run.deeds),
    ...unjournalled(run.deeds),
  ];
}

type Ended<K extends SessionOutcome['kind']> = CellMember & {
  readonly outcome: Extract<SessionOutcome, { kind: K }>;
};

/** Members that ended in `kind`; the dead count too, since they may have acted on it. */
export function endedIn<K extends SessionOutcome['kind']>(
  { members }: CellRun,
  kind: K,
): readonly Ended<K>[] {
  return members.flatMap((member) => {
    const { outcome } = member.state;
    return outcome?.kind === kind ? [{ ...member, outcome } as Ended<K>] : [];
  });
}

export const sent = (deeds: readonly Deed[]): readonly [number, SecaggMessage][] =>
  deeds.flatMap(({ member, effect }) =>
    effect.kind === 'broadcast' ? [[member, effect.message] as [number, SecaggMessage]] : [],
  );

/** Rule "never both": self-mask material and pairwise material of one member. */
function bothKinds(deeds: readonly Deed[]): readonly string[] {
  const own = new Set<number>();
  const pairwise = new Set<number>();
  for (const [member, message] of sent(deeds)) {
    if (message.kind === 'unmask') own.add(member);
    if (message.kind !== 'shares') continue;
    for (const { kind, of } of message.items) (kind === 'self-mask' ? own : pairwise).add(of);
  }
  return [...own].filter((m) => pairwise.has(m)).map((m) => `both kinds revealed of member ${m}`);
}

/** The exact sum of the inputs of `members`, in the ring. */
export function plainSum(run: CellRun, members: readonly number[]): Uint32Array {
  const total = new Uint32Array(run.members[0]!.host.input.length);
  for (const member of members) {
    for (const [i, word] of run.members[member]!.host.input.entries()) total[i]! += word;
  }
  maskTo(total, run.members[0]!.state.config.shape.bits);
  return total;
}

function wrongSums(run: CellRun): readonly string[] {
  return endedIn(run, 'sum').flatMap(({ index, outcome, host }) => {
    const expected = plainSum(run, outcome.survivors);
    const exact = host.result?.every((word, i) => word === expected[i]) ?? false;
    return exact ? [] : [`member ${index} opened a wrong sum`];
  });
}

/** One survivor set; and no sum where another member may use its update again. */
function mixedOutcomes(run: CellRun): readonly string[] {
  const sums = endedIn(run, 'sum');
  const sets = new Set(sums.map(({ outcome }) => outcome.survivors.join(',')));
  const faults = sets.size > 1 ? [`survivor sets differ: ${[...sets].join(' and ')}`] : [];
  const survivors = new Set(sums.flatMap(({ outcome }) => outcome.survivors));
  const opened = survivors.size > 0;
  for (const { index, outcome } of endedIn(run, 'retry')) {
    // Who never masked gave nothing away, whatever becomes of the attempt.
    const harmless = outcome.reason === 'never-masked' && !survivors.has(index);
    if (opened && !harmless) faults.push(`member ${index} retries (${outcome.reason}) after a sum`);
  }
  return faults;
}

const ABORT = hashOfValue({ kind: 'abort' });
const AFTER_ABANDON = ['propose', 'prevote', 'precommit', 'unmask', 'shares'];

/** ABANDON is final, and not open to those who precommitted a survivor set. */
function brokenPromises(deeds: readonly Deed[]): readonly string[] {
  const faults: string[] = [];
  const abandoned = new Set<number>();
  const bound = new Set<number>();
  for (const [member, message] of sent(deeds)) {
    if (abandoned.has(member) && AFTER_ABANDON.includes(message.kind)) {
      faults.push(`member ${member} sent ${message.kind} after its ABANDON`);
    }
    if (message.kind === 'abandon') {
      if (bound.has(member)) faults.push(`member ${member} abandoned after a precommit`);
      abandoned.add(member);
    }
    if (message.kind !== 'precommit' || message.decision !== 'survivors') continue;
    const isSet = message.value !== null && toHex(message.value) !== ABORT;
    if (isSet) bound.add(member);
  }
  return faults;
}

/** What must be in the journal before it is sent. */
function unjournalled(deeds: readonly Deed[]): readonly string[] {
  const written = new Set<string>();
  const faults: string[] = [];
  for (const { member, effect } of deeds) {
    if (effect.kind === 'journal') {
      const { record } = effect;
      written.add(`${member}/${record.kind === 'vote' ? record.slot : record.kind}`);
      continue;
    }
    if (effect.kind !== 'broadcast') continue;
    const needed = recordBehind(effect.message);
    if (needed !== undefined && !written.has(`${member}/${needed}`)) {
      faults.push(`member ${member} sent ${effect.message.kind} before its journal had ${needed}`);
    }
  }
  return faults;
}

function recordBehind(message: SecaggMessage): string | undefined {
  switch (message.kind) {
    case 'keyshare':
      return 'entered';
    case 'commit':
      return 'masked';
    case 'prevote':
    case 'precommit':
      return `${message.kind}/${message.decision}/${message.view}`;
    case 'abandon':
      return 'abandon';
    case 'unmask':
    case 'shares':
      return 'reveal';
    default:
      return undefined;
  }
}
