import { assert, toHex } from '@starling/core';
import {
  type CellEntry,
  type DecisionName,
  type SecaggMessage,
  threshold,
} from '@starling/protocol-secagg';
import { fromBitmap } from '../bitmap.ts';
import { copyDecision, createDecision, type DecideState, receive } from '../decide.ts';
import { digestOf, proposersOf } from '../state.ts';
import type { VectorHandle } from '../types.ts';
import type { AssemblyConfig, AssemblyEffect, AssemblyOutcome } from './types.ts';

type CellMessage = 'nominate' | 'opened';

/** What members of a cell say of it: entry → who says so. Some liars say two things. */
interface Voices {
  readonly entry: CellEntry;
  readonly from: ReadonlySet<number>;
}

/** Everything an assembly knows. Only `assemblyStep` makes a new one. */
export interface AssemblyState {
  readonly config: AssemblyConfig;
  /** Roster index → its cell. */
  readonly cellOf: ReadonlyMap<number, number>;
  /** `kind/cell` → entry's key → who says so. */
  readonly voices: ReadonlyMap<string, ReadonlyMap<string, Voices>>;
  readonly assembly: DecideState;
  readonly results: DecideState;
  readonly unreachable: ReadonlySet<number>;
  /** Timers that have fired. */
  readonly expired: ReadonlySet<string>;
  /** Cell → its opened sum, as far as it is here, and the digest it has. */
  readonly sums: ReadonlyMap<number, { readonly digest: string; readonly result: VectorHandle }>;
  readonly done: ReadonlySet<string>;
  readonly outcome: AssemblyOutcome | undefined;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
export interface Draft extends Mutable<AssemblyState> {
  readonly effects: AssemblyEffect[];
}

export function createAssembly(config: AssemblyConfig): AssemblyState {
  const cellOf = new Map(
    config.cells.flatMap((members, cell) => members.map((member) => [member, cell] as const)),
  );
  assert(cellOf.size === config.roster.length, 'everybody is in one cell');
  return {
    config,
    cellOf,
    voices: new Map(),
    assembly: decisionOf(config, 'assembly'),
    results: decisionOf(config, 'results'),
    unreachable: new Set(),
    expired: new Set(),
    sums: new Map(),
    done: new Set(),
    outcome: undefined,
  };
}

function decisionOf({ digest, roster }: AssemblyConfig, name: DecisionName): DecideState {
  return createDecision(name, roster.length, proposersOf(digest, roster.length, name));
}

export const draftOf = (state: AssemblyState): Draft => ({
  ...state,
  assembly: copyDecision(state.assembly),
  results: copyDecision(state.results),
  effects: [],
});

export const withItem = <T>(set: ReadonlySet<T>, item: T): ReadonlySet<T> => new Set(set).add(item);

export function once(d: Draft, what: string): boolean {
  if (d.done.has(what)) return false;
  d.done = withItem(d.done, what);
  return true;
}

export function end(d: Draft, outcome: AssemblyOutcome): void {
  if (d.outcome !== undefined) return;
  d.outcome = outcome;
  d.effects.push({ kind: 'ended', outcome });
}

export function setTimer(d: Draft, timer: string, phases: number): void {
  d.effects.push({ kind: 'set-timer', timer, afterMs: phases * d.config.timers.phaseMs });
}

/** Sends to the whole roster, and counts the message as this peer's own. */
export function broadcast(d: Draft, message: SecaggMessage): void {
  hear(d, [{ from: d.config.self, message }]);
  d.effects.push({ kind: 'broadcast', message });
}

export function hear(
  d: Draft,
  messages: readonly { readonly from: number; readonly message: SecaggMessage }[],
): void {
  const voices = new VoicesDraft(d.voices);
  for (const { from, message } of messages) {
    switch (message.kind) {
      case 'nominate':
      case 'opened':
        voices.add(d, message, from);
        break;
      case 'propose':
      case 'prevote':
      case 'precommit':
        if (message.decision === 'assembly') receive(d.assembly, from, message);
        else if (message.decision === 'results') receive(d.results, from, message);
        break;
      default:
    }
  }
  d.voices = voices.made;
}

/** Copies each map the first time it is written to. */
class VoicesDraft {
  made: AssemblyState['voices'];
  readonly #mine = new Map<string, Map<string, { entry: CellEntry; from: Set<number> }>>();
  constructor(before: AssemblyState['voices']) {
    this.made = before;
  }

  add(d: Draft, message: Extract<SecaggMessage, { kind: CellMessage }>, from: number): void {
    const cell = d.cellOf.get(from);
    if (cell === undefined) return;
    const entry: CellEntry = { members: message.members, digest: message.digest };
    if (fromBitmap(entry.members, d.config.cells[cell]!.length) === undefined) return;
    const said = this.#own(`${message.kind}/${cell}`);
    const key = toHex(digestOf(message));
    const heard = said.get(key);
    if (heard === undefined) said.set(key, { entry, from: new Set([from]) });
    else heard.from.add(from);
  }

  #own(slot: string): Map<string, { entry: CellEntry; from: Set<number> }> {
    const held = this.#mine.get(slot);
    if (held !== undefined) return held;
    const copy = new Map(
      [...(this.made.get(slot) ?? [])].map(([key, { entry, from }]) => {
        return [key, { entry, from: new Set(from) }] as const;
      }),
    );
    if (this.#mine.size === 0) this.made = new Map(this.made);
    this.#mine.set(slot, copy);
    (this.made as Map<string, typeof copy>).set(slot, copy);
    return copy;
  }
}

/** What a quorum of a cell says of it, and who; two things, when a third of it lies. */
export function quorumsOf(d: AssemblyState, kind: CellMessage, cell: number): readonly Voices[] {
  const needed = threshold(d.config.cells[cell]!.length);
  const said = d.voices.get(`${kind}/${cell}`)?.values() ?? [];
  return [...said].filter(({ from }) => from.size >= needed);
}
