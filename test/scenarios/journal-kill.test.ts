import {
  type JournalStage,
  type JournalWrite,
  NO_FAULTS,
  type SimOptions,
  simulate,
} from '@starling/sim';
import { describe, expect, test } from 'vitest';
import { isFull } from '../fuzz/size.ts';

/** The only peer that dies; peer 0 launches the job. */
const VICTIM = 1;
const ROUNDS = 2;
/** Each has other proposers and owners, so that the victim dies in other roles. */
const SEEDS = isFull ? [11, 12, 13, 14, 15, 16] : [11];

interface Kind {
  readonly name: string;
  readonly seed: number;
  /** Every so many writes are tried. */
  readonly step: number;
  readonly job: Partial<SimOptions>;
}

/** With noise the privacy ledger writes, too; in cells a roster is more than one sum. */
const NOISE = { noiseMultiplier: 1 };
const CELLS = { peers: 12, cellSize: 5 };
const KINDS: readonly Kind[] = [
  ...SEEDS.map((seed) => ({ name: 'plain', seed, step: 1, job: {} })),
  { name: 'noise', seed: 21, step: isFull ? 1 : 7, job: NOISE },
  { name: 'cells', seed: 31, step: isFull ? 1 : 19, job: CELLS },
];

const swarmOf = ({ seed, job }: Kind) => ({
  ...{ peers: 5, dim: 60, rounds: ROUNDS, dropout: 0, byzantine: 0 },
  ...{ seed, faults: NO_FAULTS, ...job },
});

async function runWith(kind: Kind, onJournalWrite: (write: JournalWrite) => 'kill' | undefined) {
  const convicted: string[] = [];
  /** Updates with which the victim entered an aggregation: others saw something of them. */
  const used = new Set<string>();
  const report = await simulate({
    ...swarmOf(kind),
    onJournalWrite,
    onNotice: (peer, notice) => {
      if (notice.kind === 'convicted') convicted.push(`${notice.peer}: ${notice.reason}`);
      if (notice.kind === 'session' && peer === VICTIM) used.add(notice.update);
    },
  });
  return { report, convicted, used };
}

/** The victim dies by kill -9 at one of its writes, and starts again with its disk 1 s later. */
const killedAt = (kind: Kind, count: number, stage: JournalStage) =>
  runWith(kind, (write) => {
    const isIt = write.peer === VICTIM && write.count === count && write.stage === stage;
    return isIt ? 'kill' : undefined;
  });

async function cleanRun(kind: Kind) {
  let writes = 0;
  const { report } = await runWith(kind, ({ peer, stage }) => {
    if (peer === VICTIM && stage === 'before') writes += 1;
    return undefined;
  });
  return { ...{ report, writes, kind }, name: kind.name, seed: kind.seed };
}

const CLEAN = await Promise.all(KINDS.map(cleanRun));

describe.each(CLEAN)('$name, seed $seed, $writes journal writes', ({ kind, report, writes }) => {
  test('watching the journal does not change a run', async () => {
    const { traceHash } = await simulate(swarmOf(kind));
    expect(report.traceHash).toBe(traceHash);
    expect(report.violations).toEqual([]);
    // In each round at least JOIN, entered, masked, four votes, reveal and the certificate.
    expect(writes).toBeGreaterThanOrEqual(9 * ROUNDS);
    const charged = 'noiseMultiplier' in kind.job ? ROUNDS : 0;
    expect(report.updatesCharged[VICTIM]).toBeGreaterThanOrEqual(charged);
  });

  const counts = Array.from({ length: writes }, (_, i) => i + 1);
  const sample = counts.filter((count) => count % kind.step === 0);
  const kills = (['before', 'after'] as const).flatMap((stage) =>
    sample.map((count) => ({ stage, count })),
  );
  test.each(kills)('kill -9 $stage write $count is on disk: no rule is broken', async (kill) => {
    const run = await killedAt(kind, kill.count, kill.stage);
    expect(run.report.faultsInjected).toMatchObject({ crash: 1, restart: 1 });
    expect(run.report.violations).toEqual([]);
    expect(run.convicted).toEqual([]);
    expect(run.report.roundsFinished).toBe(ROUNDS);
    expect(run.report.rounds.every(({ sumExact }) => sumExact)).toBe(true);
    // What it gave away it remembers, wherever it died.
    if (kind.name !== 'noise') return;
    expect(run.used.size).toBeGreaterThan(0);
    expect(run.report.updatesCharged[VICTIM]).toBeGreaterThanOrEqual(run.used.size);
  });
});
