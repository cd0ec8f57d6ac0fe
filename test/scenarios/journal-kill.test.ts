import { type JournalStage, type JournalWrite, NO_FAULTS, simulate } from '@starling/sim';
import { describe, expect, test } from 'vitest';
import { isFull } from '../fuzz/size.ts';

/** The only peer that dies; peer 0 launches the job. */
const VICTIM = 1;
const ROUNDS = 2;
/** Each has other proposers and owners, so that the victim dies in other roles. */
const SEEDS = isFull ? [11, 12, 13, 14, 15, 16] : [11];

const swarmOf = (seed: number) => ({
  ...{ peers: 5, dim: 60, rounds: ROUNDS, dropout: 0, byzantine: 0 },
  ...{ seed, faults: NO_FAULTS },
});

async function runWith(seed: number, onJournalWrite: (write: JournalWrite) => 'kill' | undefined) {
  const convicted: string[] = [];
  const report = await simulate({
    ...swarmOf(seed),
    onJournalWrite,
    onNotice: (_peer, notice) => {
      if (notice.kind === 'convicted') convicted.push(`${notice.peer}: ${notice.reason}`);
    },
  });
  return { report, convicted };
}

/** The victim dies by kill -9 at one of its writes, and starts again with its disk 1 s later. */
const killedAt = (seed: number, count: number, stage: JournalStage) =>
  runWith(seed, (write) => {
    const isIt = write.peer === VICTIM && write.count === count && write.stage === stage;
    return isIt ? 'kill' : undefined;
  });

async function cleanRun(seed: number) {
  let writes = 0;
  const { report } = await runWith(seed, ({ peer, stage }) => {
    if (peer === VICTIM && stage === 'before') writes += 1;
    return undefined;
  });
  return { report, writes, seed };
}

const CLEAN = await Promise.all(SEEDS.map(cleanRun));

describe.each(CLEAN)('seed $seed, $writes journal writes', ({ seed, report, writes }) => {
  test('watching the journal does not change a run', async () => {
    const { traceHash } = await simulate(swarmOf(seed));
    expect(report.traceHash).toBe(traceHash);
    expect(report.violations).toEqual([]);
    // In each round at least JOIN, entered, masked, four votes, reveal and the certificate.
    expect(writes).toBeGreaterThanOrEqual(9 * ROUNDS);
  });

  const counts = Array.from({ length: writes }, (_, i) => i + 1);
  const kills = (['before', 'after'] as const).flatMap((stage) =>
    counts.map((count) => ({ stage, count })),
  );
  test.each(kills)('kill -9 $stage write $count is on disk: no rule is broken', async (kill) => {
    const run = await killedAt(seed, kill.count, kill.stage);
    expect(run.report.faultsInjected).toMatchObject({ crash: 1, restart: 1 });
    expect(run.report.violations).toEqual([]);
    expect(run.convicted).toEqual([]);
    expect(run.report.roundsFinished).toBe(ROUNDS);
    expect(run.report.rounds.every(({ sumExact }) => sumExact)).toBe(true);
  });
});
