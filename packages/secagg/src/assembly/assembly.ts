import { equalBytes, toHex, unreachable } from '@starling/core';
import type { CellEntry, DecisionValue } from '@starling/protocol-secagg';
import { fromBitmap, toBitmap } from '../bitmap.ts';
import {
  advance as advanceDecision,
  type DecideIo,
  type DecideState,
  type TimeoutStep,
  timeout as timeoutDecision,
} from '../decide.ts';
import {
  type AssemblyState,
  broadcast,
  type Draft,
  draftOf,
  end,
  hear,
  once,
  quorumsOf,
  setTimer,
  withItem,
} from './state.ts';
import type { AssemblyEffect, AssemblyEvent } from './types.ts';

export interface AssemblyStep {
  readonly state: AssemblyState;
  readonly effects: readonly AssemblyEffect[];
}

/** From the start to the last nomination: a cell's shares, chunks, receipts and its decision. */
const NOMINATE_PHASES = 10;
/** From the assembly's decision to the last opened sum: sums, unmasking, tags and audits. */
const RESULT_PHASES = 12;
/** An assembly that is not over by then is stuck. */
const STALL_PHASES = 40;

/**
 * How the cells of one roster become one result: the whole roster decides which cells may open
 * what they decided, and then which opened sums count. So splitting the view of any cell takes a
 * third of the roster, not of the cell. Event in, effects out. Spec: protocols/secagg/spec.md §10.
 */
export function assemblyStep(state: AssemblyState, event: AssemblyEvent): AssemblyStep {
  if (state.outcome !== undefined) return { state, effects: [] };
  const d = draftOf(state);
  handle(d, event);
  if (d.outcome === undefined) advance(d);
  const { effects, ...next } = d;
  return { state: next, effects };
}

function handle(d: Draft, event: AssemblyEvent): void {
  switch (event.kind) {
    case 'start':
      if (!once(d, 'start')) return;
      setTimer(d, 'nominations', NOMINATE_PHASES);
      setTimer(d, 'stall', STALL_PHASES);
      return;
    case 'messages':
      hear(
        d,
        event.messages.filter(({ from }) => from !== d.config.self),
      );
      return;
    case 'timer':
      onTimer(d, event.timer);
      return;
    case 'reachable': {
      const others = new Set(d.unreachable);
      if (event.reachable) others.delete(event.member);
      else others.add(event.member);
      d.unreachable = others;
      return;
    }
    case 'nominated':
      if (once(d, 'nominated')) broadcast(d, { kind: 'nominate', ...event.entry });
      return;
    case 'cell-opened': {
      const { members, digest, result } = event;
      const cell = ownCell(d);
      keep(d, cell, toHex(digest), result);
      if (!once(d, 'opened')) return;
      const bitmap = toBitmap(members, d.config.cells[cell]!.length);
      broadcast(d, { kind: 'opened', members: bitmap, digest });
      return;
    }
    case 'cell-fetched': {
      keep(d, event.cell, toHex(event.digest), event.result);
      return;
    }
    case 'cell-missing':
      setTimer(d, `again/fetch/${event.cell}`, 1 / 4);
      return;
    default:
      unreachable(event);
  }
}

function keep(d: Draft, cell: number, digest: string, result: string): void {
  d.sums = new Map(d.sums).set(cell, { digest, result });
}

const ownCell = (d: AssemblyState): number => d.cellOf.get(d.config.self)!;

function onTimer(d: Draft, timer: string): void {
  d.expired = withItem(d.expired, timer);
  const [first, second, view] = timer.split('/') as [string, string?, string?];
  if (first === 'stall') end(d, { kind: 'burnt', reason: 'quorum-lost' });
  else if (first === 'again') {
    const mark = timer.slice('again/'.length);
    d.done = new Set([...d.done].filter((other) => other !== mark));
  } else if ((first === 'assembly' || first === 'results') && view !== undefined) {
    const decision = d[first];
    timeoutDecision(decision, second as TimeoutStep, Number(view), ioOf(d, decision));
  }
}

function advance(d: Draft): void {
  advanceDecision(d.assembly, ioOf(d, d.assembly));
  const { decision } = d.assembly;
  if (decision === undefined) return;
  if (decision.kind !== 'cells') {
    end(d, { kind: 'retry', reason: 'abort-decided' });
    return;
  }
  if (once(d, 'decided')) {
    setTimer(d, 'results', RESULT_PHASES);
    d.effects.push({ kind: 'phase', phase: 'confirm' });
    d.effects.push({ kind: 'confirm', digest: decision.cells[ownCell(d)]?.digest ?? null });
  }
  fetchOpened(d, decision.cells);
  advanceDecision(d.results, ioOf(d, d.results));
  finish(d);
}

/** Asks for every cell's opened sum as soon as a quorum of the cell vouches for it. */
function fetchOpened(d: Draft, confirmed: readonly (CellEntry | null)[]): void {
  for (const [cell, entry] of confirmed.entries()) {
    const opened = entry === null ? undefined : openedOver(d, cell, entry);
    if (opened === undefined || d.sums.get(cell)?.digest === toHex(opened.entry.digest)) continue;
    if (!once(d, `fetch/${cell}`)) continue;
    const { digest } = opened.entry;
    const { self } = d.config;
    // Everybody starts elsewhere among those who have it, so that nobody serves them all.
    const holders = [...opened.from].filter((member) => member !== self).sort((a, b) => a - b);
    const start = self % Math.max(1, holders.length);
    const from = [...holders.slice(start), ...holders.slice(0, start)];
    d.effects.push({ kind: 'fetch-cell', cell, digest, from });
  }
}

function finish(d: Draft): void {
  const { decision } = d.results;
  if (decision === undefined) return;
  if (decision.kind !== 'cells') {
    end(d, { kind: 'burnt', reason: 'quorum-lost' });
    return;
  }
  if (once(d, 'collect')) d.effects.push({ kind: 'phase', phase: 'collect' });
  const sums = decision.cells.flatMap((entry, cell) => {
    if (entry === null) return [];
    const held = d.sums.get(cell);
    const isHere = held?.digest === toHex(entry.digest);
    return [{ result: isHere ? held!.result : undefined, survivors: survivorsIn(d, cell, entry) }];
  });
  const here = sums.flatMap(({ result, survivors }) => {
    return result === undefined ? [] : [{ result, survivors }];
  });
  if (here.length === sums.length) end(d, { kind: 'sums', sums: here });
}

function survivorsIn(d: AssemblyState, cell: number, entry: CellEntry): readonly number[] {
  const members = d.config.cells[cell]!;
  return (fromBitmap(entry.members, members.length) ?? []).map((index) => members[index]!);
}

function ioOf(d: Draft, decision: DecideState): DecideIo {
  const { decideMs } = d.config.timers;
  const isAssembly = decision.name === 'assembly';
  return {
    self: d.config.self,
    candidate: () => (isAssembly ? assemblyCandidate(d) : resultsCandidate(d)),
    isValid: (value) => isVouched(d, decision, value),
    isAway: (member) => d.unreachable.has(member),
    send: (message) => {
      if (message.kind !== 'propose') {
        const value = message.value === null ? 'nil' : toHex(message.value);
        const slot = `${message.kind}/${message.decision}/${message.view}`;
        d.effects.push({ kind: 'journal', slot, value });
      }
      broadcast(d, message);
    },
    setTimer: (timeoutStep, view) => {
      const timer = `${decision.name}/${timeoutStep}/${view}`;
      d.effects.push({ kind: 'set-timer', timer, afterMs: 2 * decideMs * (1 + view / 2) });
    },
  };
}

/** What each cell nominated, once all did or time is over; ABORT when none did. */
function assemblyCandidate(d: AssemblyState): DecisionValue | undefined {
  const cells = d.config.cells.map((_, cell) => quorumsOf(d, 'nominate', cell)[0]?.entry ?? null);
  return candidateOf(cells, () => !d.expired.has('nominations') && cells.includes(null));
}

/** The opened sums of the confirmed cells, once all are open or time is over. */
function resultsCandidate(d: AssemblyState): DecisionValue | undefined {
  const { decision } = d.assembly;
  if (decision?.kind !== 'cells') return undefined;
  const cells = decision.cells.map((entry, cell) => {
    return entry && (openedOver(d, cell, entry)?.entry ?? null);
  });
  const isWaiting = () =>
    !d.expired.has('results') && cells.some((sum, cell) => decision.cells[cell] && !sum);
  return candidateOf(cells, isWaiting);
}

/** What a quorum of a cell opened over the members that were confirmed. */
const openedOver = (d: AssemblyState, cell: number, { members }: CellEntry) =>
  quorumsOf(d, 'opened', cell).find(({ entry }) => equalBytes(entry.members, members));

function candidateOf(
  cells: readonly (CellEntry | null)[],
  isWaiting: () => boolean,
): DecisionValue | undefined {
  if (isWaiting()) return undefined;
  return cells.every((entry) => entry === null)
    ? { kind: 'abort' }
    : { kind: 'cells', cells: [...cells] };
}

/**
 * A peer vouches for what a quorum of each cell says, and for leaving a cell out only if it has
 * not heard that quorum itself and would not wait for it any more: nobody can censor a cell.
 */
function isVouched(d: AssemblyState, { name }: DecideState, value: DecisionValue): boolean {
  const own = name === 'assembly' ? assemblyCandidate(d) : resultsCandidate(d);
  if (value.kind === 'abort') return own?.kind === 'abort';
  if (value.kind !== 'cells' || value.cells.length !== d.config.cells.length) return false;
  return value.cells.every((entry, cell) => {
    const heard = name === 'assembly' ? quorumsOf(d, 'nominate', cell) : opened(d, cell);
    if (entry === null) return heard.length === 0 && own !== undefined;
    return heard.some((voices) => isSameEntry(voices.entry, entry));
  });
}

function opened(d: AssemblyState, cell: number) {
  const { decision } = d.assembly;
  const confirmed = decision?.kind === 'cells' ? decision.cells[cell] : undefined;
  const voices = confirmed && openedOver(d, cell, confirmed);
  return voices === undefined || voices === null ? [] : [voices];
}

const isSameEntry = (a: CellEntry, b: CellEntry): boolean =>
  equalBytes(a.members, b.members) && equalBytes(a.digest, b.digest);
