import { fromHex } from '@starling/core';
import { byzantineMax, type DecisionValue } from '@starling/protocol-secagg';
import {
  advance,
  createDecision,
  type DecideIo,
  type DecideMessage,
  type DecideState,
  hashOfValue,
  receive,
  type TimeoutStep,
  timeout,
} from '../decide.ts';
import type { Dice } from './random.ts';

export interface CouncilOptions {
  readonly members: number;
  readonly dice: Dice;
  /** What honest member `i` would propose. */
  readonly candidate: (member: number) => DecisionValue;
  /** Values that liars vote for. */
  readonly values: readonly DecisionValue[];
  /** Whether liars tell different members different things in one slot. */
  readonly equivocate: boolean;
  /** Switches off the lock, to prove that the checker would see it. */
  readonly unlocked?: boolean;
}

interface Honest {
  readonly index: number;
  readonly state: DecideState;
  readonly io: DecideIo;
  readonly timers: { readonly step: TimeoutStep; readonly view: number }[];
  /** Slots this member has seen: the first message in a slot counts. */
  readonly seen: Set<string>;
}

interface Sent {
  readonly from: number;
  readonly message: DecideMessage;
}

/** Honest members that decide, the last f members lying, and a network that may do anything. */
export class Council {
  readonly honest: readonly Honest[];
  readonly #options: CouncilOptions;
  readonly #liars: readonly number[];
  /** Everything ever said to everybody, and who has not heard it yet. */
  readonly #waiting: { to: Honest; sent: Sent }[] = [];
  readonly #lies = new Map<string, Sent>();
  #calm = false;

  constructor(options: CouncilOptions) {
    this.#options = options;
    const { members } = options;
    const honest = members - byzantineMax(members);
    this.#liars = Array.from({ length: members - honest }, (_, i) => honest + i);
    const order = [...Array(members).keys()];
    this.honest = order.slice(0, honest).map((index): Honest => {
      const state = createDecision('survivors', members, order);
      const timers: Honest['timers'] = [];
      const io: DecideIo = {
        // Drawn anew each time: a hint may be wrong, and must never cost safety.
        isAway: () => !this.#calm && options.dice.below(4) === 0,
        self: index,
        candidate: () => options.candidate(index),
        isValid: () => true,
        send: (message) => this.#say(index, message),
        setTimer: (step, view) => timers.push({ step, view }),
      };
      return { index, state, io, timers, seen: new Set() };
    });
  }

  /** One thing happens: a delivery, a timer that fires early or late, or a lie. */
  disturb(): void {
    const { dice } = this.#options;
    const member = dice.pick(this.honest);
    const kind = dice.below(10);
    if (kind < 6 && this.#waiting.length > 0) {
      const at = dice.below(this.#waiting.length);
      const [{ to, sent }] = this.#waiting.splice(at, 1) as [{ to: Honest; sent: Sent }];
      this.#hear(to, sent);
    } else if (kind < 7 && member.timers.length > 0) this.#fire(member, dice);
    else this.#lie(member);
    this.#settle(member);
  }

  /** Faults stop: everything said is heard by all, and timers fire in the order they were set. */
  calm(turns = 200): void {
    this.#calm = true;
    for (const lie of this.#lies.values()) for (const to of this.honest) this.#hear(to, lie);
    for (let turn = 0; turn < turns && !this.#isDecided(); turn++) {
      while (this.#waiting.length > 0) {
        const { to, sent } = this.#waiting.shift()!;
        this.#hear(to, sent);
        this.#settle(to);
      }
      for (const member of this.honest) this.#settle(member);
      if (this.#waiting.length > 0) continue;
      for (const member of this.honest) this.#fireDue(member);
    }
  }

  decisions(): ReadonlySet<string> {
    const decided = this.honest.flatMap(({ state }) => state.decision ?? []);
    return new Set(decided.map(hashOfValue));
  }

  #isDecided(): boolean {
    return this.honest.every(({ state }) => state.decision !== undefined);
  }

  #say(from: number, message: DecideMessage): void {
    const own = this.honest[from]!;
    receive(own.state, from, message);
    for (const to of this.honest) {
      if (to !== own) this.#waiting.push({ to, sent: { from, message } });
    }
  }

  #hear(to: Honest, { from, message }: Sent): void {
    const slot = `${message.kind}/${message.view}/${from}`;
    if (to.seen.has(slot)) return;
    to.seen.add(slot);
    receive(to.state, from, message);
  }

  #settle(member: Honest): void {
    if (this.#options.unlocked) member.state.locked = undefined;
    advance(member.state, member.io);
  }

  #fire(member: Honest, dice: Dice): void {
    const [due] = member.timers.splice(dice.below(member.timers.length), 1);
    timeout(member.state, due!.step, due!.view, member.io);
  }

  #fireDue(member: Honest): void {
    const due = member.timers.shift();
    if (due === undefined) return;
    timeout(member.state, due.step, due.view, member.io);
  }

  #lie(to: Honest): void {
    const { dice, equivocate } = this.#options;
    if (this.#liars.length === 0) return;
    const from = dice.pick(this.#liars);
    const view = to.state.view + dice.below(2);
    const message = this.#drawLie(view);
    const slot = `${message.kind}/${view}/${from}`;
    const sent = { from, message };
    if (equivocate) this.#hear(to, sent);
    else {
      if (!this.#lies.has(slot)) this.#lies.set(slot, sent);
      this.#hear(to, this.#lies.get(slot)!);
    }
  }

  #drawLie(view: number): DecideMessage {
    const { dice, values } = this.#options;
    const value = dice.pick(values);
    const decision = 'survivors';
    if (dice.chance(0.3)) {
      const validView = dice.chance(0.5) ? null : dice.below(view + 1);
      return { kind: 'propose', decision, view, validView, value };
    }
    const hash = dice.chance(0.2) ? null : fromHex(hashOfValue(value));
    return { kind: dice.pick(['prevote', 'precommit'] as const), decision, view, value: hash };
  }
}
