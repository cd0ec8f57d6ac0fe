import {
  ConfigError,
  type JobId,
  type Log,
  millis,
  type PeerId,
  ProtocolError,
} from '@starling/core';
import type { JobReport } from '@starling/node';
import type { Notice } from '@starling/rounds';
import { describe, expect, test } from 'vitest';
import type { CheckpointTask } from './checkpoint-task.ts';
import { type CheckpointParts, Checkpoints } from './checkpoints.ts';
import type { ModelParts } from './pulled-model.ts';

const ME = 'me' as PeerId;
const [OURS, TAKEN, OTHER] = ['1', '2', '3'].map((digit) => digit.repeat(64)) as [
  JobId,
  JobId,
  JobId,
];
const log: Log = { debug() {}, info() {}, warn() {}, error() {} };

const report = (id: JobId, changes: object = {}): JobReport =>
  ({
    job: { id, launcher: id === OURS ? ME : 'you', manifest: { name: 'x' } },
    standing: { kind: id === TAKEN ? 'participating' : 'no-data', reasons: [] },
    ...{ phase: 'training', certificates: [], isRecovered: true },
    ...changes,
  }) as unknown as JobReport;

const certified = (round: number) =>
  ({ kind: 'certified', certificate: { statement: { round } } }) as unknown as Notice;

/** A writer whose target and clock the test holds in its hands. */
class Scene {
  jobs: JobReport[] = [report(OURS), report(TAKEN), report(OTHER)];
  readonly written: string[] = [];
  readonly timers: { readonly after: number; readonly fire: () => void }[] = [];
  readonly warnings: string[] = [];
  now = 0;
  gather: CheckpointParts['gather'] = async () => ({}) as ModelParts;
  write: CheckpointParts['write'] = async () => ({ isWritten: true, bytes: 10, deleted: 1 });
  readonly checkpoints: Checkpoints;

  constructor(config: Partial<CheckpointParts['config']> = {}) {
    this.checkpoints = new Checkpoints({
      config: { to: '/mnt/x', every: 1, keep: 3, ...config },
      self: ME,
      jobs: () => this.jobs,
      gather: (job, round) => this.gather(job, round),
      write: async (task: CheckpointTask) => {
        const outcome = await this.write(task);
        this.written.push(`${task.job[0]}:${task.round}`);
        return outcome;
      },
      clock: {
        now: () => millis(this.now),
        setTimer: (after, fire) => {
          this.timers.push({ after, fire });
          return () => this.timers.splice(0);
        },
      },
      chance: () => 1,
      log: { ...log, warn: (text) => this.warnings.push(text) },
    });
  }

  async tell(job: JobId, ...rounds: readonly number[]): Promise<void> {
    for (const round of rounds) this.checkpoints.take(job, certified(round));
    await this.settle();
  }

  /** Lets every promise that can go on do so. */
  async settle(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
  }

  async fire(): Promise<number> {
    const { after, fire } = this.timers.shift()!;
    fire();
    await this.settle();
    return after;
  }
}

describe('checkpoints', () => {
  test('each N-th round of jobs launched or taken part in here, and the last one', async () => {
    const scene = new Scene({ every: 2 });
    await scene.tell(OURS, 1, 2, 3);
    await scene.tell(TAKEN, 4);
    await scene.tell(OTHER, 2);
    scene.checkpoints.take(OURS, { kind: 'finished', round: 3 });
    await scene.settle();
    expect(scene.written).toEqual(['1:2', '2:4', '1:3']);
    expect(scene.checkpoints.status()).toMatchObject({
      ...{ state: 'waiting', written: 3, found: 0, bytes: 30, deleted: 3, pending: 0 },
      ...{ last: { job: OURS, round: 3, secondsAgo: 0 }, lastError: null },
    });
  });

  test('the last round is not written twice for being the last', async () => {
    const scene = new Scene();
    scene.checkpoints.take(OURS, certified(4));
    scene.checkpoints.take(OURS, { kind: 'finished', round: 4 });
    await scene.settle();
    expect(scene.written).toEqual(['1:4']);
  });

  test('after a start the newest that is due, once the journal has been read', async () => {
    const scene = new Scene({ every: 2 });
    const certificates = new Array(5).fill({});
    scene.jobs = [report(OURS, { isRecovered: false }), report(TAKEN, { certificates })];
    scene.checkpoints.start();
    await scene.settle();
    expect(scene.written).toEqual(['2:4']);
    scene.jobs = [report(OURS, { certificates, phase: 'finished' }), scene.jobs[1]!];
    await scene.fire();
    expect(scene.written).toEqual(['2:4', '1:5']);
    expect(scene.timers).toEqual([]);
  });

  test('a target that is away is tried ever later, and only what is too old is lost', async () => {
    const scene = new Scene();
    let isAway = true;
    scene.write = async () => {
      if (isAway) throw new ConfigError('checkpoints.to', 'no folder /mnt/x', 'Mount it');
      return { isWritten: true, bytes: 1, deleted: 0 };
    };
    await scene.tell(OURS, 1);
    const pauses = [await scene.fire(), await scene.fire(), await scene.fire()];
    expect(pauses).toEqual([1000, 2000, 4000]);
    await scene.tell(OURS, 2, 3, 4, 5);
    expect(scene.checkpoints.status()).toMatchObject({
      ...{ state: 'retrying', failed: 4, skipped: 2, pending: 3 },
      lastError: 'checkpoints.to: no folder /mnt/x. Mount it',
    });
    isAway = false;
    await scene.fire();
    expect(scene.written).toEqual(['1:3', '1:4', '1:5']);
    const status = scene.checkpoints.status();
    expect(status).toMatchObject({ state: 'waiting', pending: 0, lastError: null });
    isAway = true;
    await scene.tell(OURS, 6);
    for (let i = 0; i < 12; i++) await scene.fire();
    expect(scene.timers[0]!.after).toBe(300_000);
  });

  test('a state that nobody has is left out, and the others go on', async () => {
    const scene = new Scene();
    scene.gather = async (_job, round) => {
      if (round === 1) throw new ProtocolError('not-ready', 'nobody reachable has it');
      return {} as ModelParts;
    };
    await scene.tell(OURS, 1, 2);
    await scene.fire();
    await scene.fire();
    expect(scene.written).toEqual(['1:2']);
    expect(scene.warnings.at(-1)).toBe('a checkpoint is left out');
    expect(scene.checkpoints.status()).toMatchObject({ skipped: 1, written: 1, pending: 0 });
  });

  test('what is rolled back is not written, and what is certified anew is', async () => {
    const scene = new Scene({ keep: 9 });
    const ends: (() => void)[] = [];
    scene.write = async () => {
      await new Promise<void>((resolve) => ends.push(resolve));
      return { isWritten: true, bytes: 1, deleted: 0 };
    };
    await scene.tell(OURS, 1, 2, 3);
    scene.checkpoints.take(OURS, { kind: 'rolled-back', toRound: 0 });
    await scene.tell(OURS, 1);
    while (ends.length > 0) {
      ends.shift()!();
      await scene.settle();
    }
    expect(scene.written).toEqual(['1:1', '1:1']);
  });

  test('what failed and was rolled back then holds nothing up', async () => {
    const scene = new Scene();
    const write = scene.write;
    scene.write = async () => {
      throw new Error('away');
    };
    await scene.tell(OURS, 1);
    scene.checkpoints.take(OURS, { kind: 'rolled-back', toRound: 0 });
    scene.write = write;
    await scene.fire();
    await scene.tell(OURS, 2);
    expect(scene.written).toEqual(['1:2']);
    expect(scene.checkpoints.status().state).toBe('waiting');
  });

  test('nothing is begun after the end', async () => {
    const scene = new Scene();
    scene.write = async () => {
      throw new Error('away');
    };
    await scene.tell(OURS, 1);
    expect(scene.timers).toHaveLength(1);
    scene.checkpoints.stop();
    await scene.tell(OURS, 2);
    expect(scene.timers).toEqual([]);
    expect(scene.checkpoints.status().pending).toBe(0);
  });
});
