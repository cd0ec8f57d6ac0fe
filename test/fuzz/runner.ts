import { getHeapStatistics } from 'node:v8';
import { createDice } from '../../packages/secagg/src/testing/random.ts';
import { isProtocolError, MUTATORS, type Target } from './target.ts';

/** An input that broke a promise, or made something else than a refusal escape. */
export interface Crasher {
  readonly target: string;
  readonly input: Uint8Array;
  readonly reason: string;
}

export interface Tally {
  readonly target: string;
  executions: number;
  accepted: number;
  /** Inputs that were answered in a way that none before was: the branches that were reached. */
  readonly rare: Map<string, Uint8Array>;
  readonly crashers: Crasher[];
}

/** When to stop: after so many executions, or when `isOver` says so. */
export interface Budget {
  readonly executions: number;
  readonly isOver?: () => boolean;
}

/** Of what reached something new, so much is mutated again: large ones cost more than they find. */
const POOL_MAX = 1_000;
const POOL_BYTES_MAX = 4 * 1024;
/** More than these tell nothing new. */
const CRASHERS_MAX = 8;
/** Memory that reading may take: so much for each byte, and what a small graph needs anyway. */
const MEMORY_PER_BYTE = 64;
const MEMORY_BASE = 16 * 1024 * 1024;
/** Of the processor, for one input of 64 KiB at most; good ones take less than a second. */
const CPU_SECONDS_MAX = 10;

export const emptyTally = (target: string): Tally => ({
  target,
  executions: 0,
  accepted: 0,
  rare: new Map(),
  crashers: [],
});

/** Runs one input; notes in the tally what it did. */
export async function execute(target: Target, input: Uint8Array, tally: Tally): Promise<void> {
  tally.executions += 1;
  const before = memoryTaken();
  const start = process.cpuUsage();
  const answer = await answerTo(target, input);
  const { user, system } = process.cpuUsage(start);
  const seconds = (user + system) / 1e6;
  // A collection in between can hide what was taken, and never adds to it.
  const taken = memoryTaken() - before;
  const most = MEMORY_PER_BYTE * input.length + (target.memoryBase ?? MEMORY_BASE);
  const reason =
    taken > most
      ? `took ${Math.ceil(taken / 2 ** 20)} MiB`
      : seconds > CPU_SECONDS_MAX
        ? `took ${seconds} s of the processor`
        : answer.crash;
  if (reason !== undefined) {
    if (tally.crashers.length < CRASHERS_MAX) {
      tally.crashers.push({ target: target.name, input, reason });
    }
    return;
  }
  if (answer.accepted) tally.accepted += 1;
  const known = tally.rare.get(answer.branch);
  if (known === undefined || input.length < known.length) tally.rare.set(answer.branch, input);
}

function memoryTaken(): number {
  const { used_heap_size, external_memory, malloced_memory } = getHeapStatistics();
  return used_heap_size + external_memory + malloced_memory;
}

interface Answer {
  readonly accepted: boolean;
  readonly branch: string;
  readonly crash?: string;
}

async function answerTo(
  { run, refuses = isProtocolError }: Target,
  input: Uint8Array,
): Promise<Answer> {
  try {
    return { accepted: true, branch: await run(input) };
  } catch (error) {
    const { name, message, stack } = error as Error;
    if (refuses(error)) return { accepted: false, branch: branchOf(message) };
    return { accepted: false, branch: '', crash: stack ?? `${name}: ${message}` };
  }
}

/** A message without the parts that the input chose: two refusals of one place are alike. */
const branchOf = (message: string): string =>
  message
    .replace(/"(?:[^"\\]|\\.)*"|\[[^\]]*\]/g, '#')
    .replace(/[-\d.]+|0x[0-9a-f]+/g, '#')
    .slice(0, 80);

/** Mutates what is at hand and what reached something new, until the budget is used up. */
export async function fuzz(
  target: Target,
  seed: number,
  budget: Budget,
  corpus: readonly Uint8Array[],
): Promise<Tally> {
  const dice = createDice(seed);
  const tally = emptyTally(target.name);
  const mutate = MUTATORS[target.format];
  const pool = [...target.seeds, ...corpus];
  for (const input of pool) await execute(target, input, tally);
  while (tally.executions < budget.executions && budget.isOver?.() !== true) {
    const branches = tally.rare.size;
    // What was refused is seldom a step on the way to what is accepted.
    const base = dice.pick(dice.chance(0.5) ? target.seeds : pool);
    const input = mutate(dice, base, pool);
    await execute(target, input, tally);
    const isNew = tally.rare.size > branches && pool.length < POOL_MAX;
    if (isNew && input.length <= POOL_BYTES_MAX) pool.push(input);
  }
  return tally;
}
