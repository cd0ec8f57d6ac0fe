import { readFile } from 'node:fs/promises';
import type { JobView } from '@starling/control';
import { verifyModel } from '@starling/models';
import type { SwarmId } from '@starling/protocol-membership';
import type { Machine } from './machine.ts';

/** What must never be in a log: a failure that nobody foresaw. */
const NEVER = /unhandled|uncaught|assertion|FATAL|RangeError|TypeError/i;
/** Above the budget by more is not rounding. */
const SLACK = 1e-9;

/** Looks at all daemons again and again, and keeps what contradicts what was seen before. */
export class Witness {
  readonly #job: string;
  readonly violations: string[] = [];
  /** Settled round → the state that was certified. */
  readonly #settled = new Map<number, string>();
  /** Machine → what its data has given away so far. */
  readonly #spent = new Map<string, number>();
  readonly budgetsSpent = new Set<string>();
  looks = 0;
  /** Rounds of the longest chain that was seen. */
  longest = 0;

  constructor(job: string) {
    this.#job = job;
  }

  /** Rounds that some peer held as settled. */
  get settled(): number {
    return this.#settled.size;
  }

  /** @returns the views of those that answered */
  async look(machines: readonly Machine[]): Promise<readonly JobView[]> {
    this.looks += 1;
    const answers = await Promise.allSettled(machines.map((machine) => this.#visit(machine)));
    return answers.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  }

  async #visit(machine: Machine): Promise<JobView> {
    const deadline = AbortSignal.timeout(5_000);
    const late = new Promise<never>((_, reject) =>
      deadline.addEventListener('abort', () => reject(deadline.reason)),
    );
    const asked = Promise.all([machine.client.job(this.#job), machine.client.privacy()]);
    const [view, { datasets }] = await Promise.race([asked, late]);
    this.longest = Math.max(this.longest, view.rounds.length);
    for (const { round, settled, stateHash } of view.rounds) {
      if (settled) this.#settle(machine, round, stateHash);
    }
    if (view.standing === 'budget-spent') this.budgetsSpent.add(machine.name);
    for (const { budget, epsilon } of datasets) this.#charge(machine, budget?.epsilon, epsilon);
    return view;
  }

  #settle({ name }: Machine, round: number, stateHash: string): void {
    const before = this.#settled.get(round) ?? stateHash;
    this.#settled.set(round, before);
    if (before === stateHash) return;
    this.violations.push(`${name} has another settled state of round ${round}`);
  }

  #charge({ name }: Machine, budget: number | undefined, epsilon: number): void {
    const before = this.#spent.get(name) ?? 0;
    this.#spent.set(name, Math.max(before, epsilon));
    if (epsilon < before - SLACK) this.violations.push(`${name} forgot what it has spent`);
    if (budget !== undefined && epsilon > budget + SLACK) {
      this.violations.push(`${name} spent ${epsilon} of a budget of ${budget}`);
    }
  }

  /** Each daemon's own copy of the model, its weights hashed against the certificates before it. */
  async verify(machines: readonly Machine[], swarm: SwarmId): Promise<number> {
    let verified = 0;
    for (const machine of machines) {
      const { model, proof, round } = await machine.client.pull(this.#job);
      const bytes = [Buffer.from(model, 'base64'), Buffer.from(proof, 'base64')] as const;
      const { ok, fault, rounds } = verifyModel(...bytes, swarm);
      if (ok && rounds.length === round) verified += 1;
      else this.violations.push(`${machine.name}: round ${round} is not proven: ${fault}`);
    }
    return verified;
  }

  /** Lines of the daemons' logs that nobody should ever see. */
  async readLogs(machines: readonly Machine[]): Promise<void> {
    for (const { name, log } of machines) {
      const lines = (await readFile(log, 'utf8')).split('\n');
      for (const line of lines.filter((text) => NEVER.test(text))) {
        this.violations.push(`${name} logged: ${line.slice(0, 300)}`);
      }
    }
  }
}
