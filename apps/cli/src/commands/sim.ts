import { randomInt } from 'node:crypto';
import { GRAPH_NAMES, UNMASKING_NAMES } from '@starling/protocol-rounds';
import type { EngineCanary } from '@starling/rounds';
import type { SimReport, SimRound } from '@starling/sim';
import type { Command } from 'commander';
import { EXIT } from '../failures.ts';
import { rerunWithNursery } from '../nursery.ts';
import { addCommand, fraction, type JsonOption, oneOfWords, wholeNumber } from '../options.ts';
import {
  bytesText,
  note,
  plural,
  printFacts,
  printJson,
  printTable,
  shortHash,
} from '../output.ts';
import { type Column, oneLine } from '../table.ts';

/** A swarm for which another process is worth its start. */
const LARGE_PEERS = 256;

/** Rules that can be switched off, to see that the checkers notice. */
const CANARIES = ['never-both', 'reuse-update'] as const satisfies readonly EngineCanary[];

interface SimFlags extends JsonOption {
  readonly peers: number;
  readonly dim: number;
  readonly rounds: number;
  readonly dropout?: number;
  readonly byzantine: number;
  readonly cellSize?: number;
  readonly graph: (typeof GRAPH_NAMES)[number];
  readonly unmasking: (typeof UNMASKING_NAMES)[number];
  readonly seed?: number;
  readonly canary?: EngineCanary;
  /** False with --no-faults. */
  readonly faults: boolean;
}

export function registerSim(program: Command): void {
  addCommand(program, {
    usage: 'sim',
    summary: 'run a job on a simulated swarm with a faulty network and check every rule',
    examples: [
      'sim --peers 20 --dim 10000 --rounds 3 --dropout 0.1 --seed 1 --json',
      'sim --canary never-both',
    ],
  })
    .option('--peers <n>', 'peers of the swarm', wholeNumber(3, 1024), 20)
    .option('--dim <n>', 'weights of the model', wholeNumber(1, 100_000_000), 10_000)
    .option('--rounds <n>', 'rounds to finish', wholeNumber(1, 1_000_000), 3)
    .option('--dropout <p>', 'how likely each peer dies in a round after its JOIN (0)', fraction)
    .option('--byzantine <f>', 'part of the peers that are dishonest', fraction, 0)
    .option('--cell-size <n>', 'peers of one cell, about (64)', wholeNumber(5, 64))
    .option(
      '--graph <name>',
      'a larger swarm is cut into cells (complete), or is one sum on a graph of neighbours (wide)',
      oneOfWords(GRAPH_NAMES),
      GRAPH_NAMES[0],
    )
    .option(
      '--unmasking <name>',
      'every peer verifies and unmasks the whole sum (local), or a few each part (shared)',
      oneOfWords(UNMASKING_NAMES),
      UNMASKING_NAMES[0],
    )
    .option('--seed <n>', 'decides everything (drawn)', wholeNumber(0))
    .option('--canary <name>', `switch a rule off: ${CANARIES.join(', ')}`, oneOfWords(CANARIES))
    .option('--no-faults', 'a network that loses, doubles and parts nothing')
    .action(async (flags: SimFlags) => {
      if (flags.peers >= LARGE_PEERS && (await rerunWithNursery())) return;
      const report = await (flags.canary === undefined ? run(flags) : hunt(flags));
      if (flags.json) printJson(report);
      else show(report);
      const fault = faultOf(report, flags.rounds);
      if (flags.canary !== undefined && report.violations.length === 0) {
        note(`starling: the canary ${flags.canary} was not caught in ${HUNT_RUNS} runs`);
      } else if (fault !== undefined) {
        note(`starling: ${fault}. The same seed shows it again`);
        process.exitCode = EXIT.failure;
      }
    });
}

const drawSeed = (): number => randomInt(2 ** 32);

async function run(flags: SimFlags, seed = flags.seed ?? drawSeed()): Promise<SimReport> {
  const { faultsOf, NO_FAULTS, simulate } = await import('@starling/sim');
  const { peers, dim, rounds, dropout = 0, byzantine, cellSize, graph, unmasking, canary } = flags;
  note(`seed ${seed}`);
  const faults = flags.faults ? faultsOf(seed) : NO_FAULTS;
  note(`faults ${JSON.stringify(faults)}`);
  return simulate({
    ...{ peers, dim, rounds, dropout, byzantine, graph, unmasking, seed, faults },
    ...(cellSize !== undefined && { cellSize }),
    ...(canary !== undefined && { canary }),
    onProgress: note,
  });
}

const HUNT_RUNS = 20;
const HUNT_DROPOUT = 0.3;

/** A rule matters in some runs only: seeds from the given one on, until a checker speaks. */
async function hunt(flags: SimFlags): Promise<SimReport> {
  const first = flags.seed ?? drawSeed();
  const harsh = { ...flags, dropout: flags.dropout ?? HUNT_DROPOUT };
  let report = await run(harsh, first);
  for (let i = 1; i < HUNT_RUNS && report.violations.length === 0; i++) {
    report = await run(harsh, first + i);
  }
  return report;
}

/** Why a run is not as it must be, or undefined. */
export function faultOf(
  { violations, rounds, roundsFinished }: SimReport,
  wanted: number,
): string | undefined {
  const [first] = violations;
  if (first !== undefined) {
    return oneLine(`${plural(violations.length, 'violation')}, the first: ${first}`);
  }
  const inexact = rounds.findIndex(({ sumExact }) => !sumExact);
  if (inexact !== -1) return `the sum of round ${inexact + 1} was not seen to be exact`;
  if (roundsFinished < wanted) return `only ${roundsFinished} of ${wanted} rounds finished`;
  return undefined;
}

const COLUMNS: readonly Column<SimRound & { readonly round: number }>[] = [
  { title: 'ROUND', value: ({ round }) => String(round), align: 'right' },
  { title: 'SURVIVORS', value: ({ survivors }) => String(survivors), align: 'right' },
  { title: 'ATTEMPTS', value: ({ attempts }) => String(attempts), align: 'right' },
  { title: 'SUM', value: ({ sumExact }) => (sumExact ? 'exact' : 'NOT EXACT') },
];

function show(report: SimReport): void {
  printTable(
    COLUMNS,
    report.rounds.map((round, i) => ({ ...round, round: i + 1 })),
  );
  const { bytesPerPeer, cpuSecondsPerPeer, wallSeconds, virtualSeconds } = report;
  printFacts([
    ['faults', countsText(report.faultsInjected)],
    ['attempts given up', countsText(report.aborts)],
    ['dishonest peers', report.adversaries.join(', ') || 'none'],
    ['left out', plural(report.banned.length, 'proven liar')],
    ['violations', String(report.violations.length)],
    ['signatures verified', String(report.signaturesVerified)],
    ['bytes per peer', `${bytesText(bytesPerPeer.mean)}, at most ${bytesText(bytesPerPeer.max)}`],
    ['CPU per peer', `${cpuSecondsPerPeer.mean.toFixed(2)} s`],
    ['time', `${wallSeconds.toFixed(1)} s for ${virtualSeconds.toFixed(1)} simulated`],
    ['memory', bytesText(report.peakMemoryBytes)],
    ['trace', shortHash(report.traceHash)],
  ]);
}

const countsText = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ') || 'none';
