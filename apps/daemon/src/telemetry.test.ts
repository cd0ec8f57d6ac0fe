import type { ControlHandlers } from '@starling/control';
import type { JobId, Log, PeerId } from '@starling/core';
import type { JobReport } from '@starling/node';
import { describe, expect, test, vi } from 'vitest';
import { PEERS, view } from '../../../packages/telemetry/src/testing/run.ts';
import { configSchema } from './config.ts';
import { LiveRounds } from './live-rounds.ts';
import { DaemonTelemetry, type TelemetryParts } from './telemetry.ts';

const JOB = 'cd'.repeat(32) as JobId;
const noLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

const report = (phase: string): JobReport =>
  ({
    job: { id: JOB, manifest: { name: 'ward', stop: { rounds: 5 } } },
    ...{ standing: { kind: 'participating', dataset: 'mine' }, phase, progress: undefined },
    certificates: [
      {
        statement: {
          ...{ round: 1, roster: PEERS, survivors: Uint8Array.of(0b0111) },
          metrics: { lossSum: 50, correct: 90, examples: 200 },
        },
      },
    ],
  }) as unknown as JobReport;

async function opened(parts: Partial<TelemetryParts> = {}, standing = 'member') {
  const config = configSchema.parse({});
  const self = PEERS[0] as PeerId;
  const telemetry = await DaemonTelemetry.open({ config, log: noLog, self });
  const { status, privacy, serving } = view();
  const handlers = {
    status: async () => status,
    privacy: async () => privacy,
    serving: { list: async () => serving },
    swarm: { show: async () => ({ standing }) },
  } as unknown as ControlHandlers;
  const connection = { peer: PEERS[1]!, address: '', direction: 'inbound', relayed: false };
  const swarm = {
    status: () => ({
      ...{ reachability: 'public', knownPeers: 4, refused: {}, refusedBy: [], outdated: [] },
      // One peer by two connections, one of them relayed.
      connections: [connection, { ...connection, relayed: true }],
    }),
  } as unknown as TelemetryParts['swarm'];
  const told = telemetry.withTelemetry(handlers, {
    ...{ node: { jobs: () => [report('training')] }, swarm, lives: new LiveRounds() },
    ...{ journal: { put: async () => {} }, state: { path: '/' } },
    ...parts,
  });
  return { telemetry, told };
}

describe('metrics', () => {
  test('are of jobs, swarm and disk as they are now', async () => {
    const { told } = await opened();
    const { contentType, body } = await told.metrics();
    expect(contentType).toMatch(/^text\/plain/);
    expect(body).toMatch(/starling_job_accuracy\{[^}]*job_name="ward"\} 0\.45/);
    expect(body).toMatch(/starling_job_survivors\{[^}]*\} 3/);
    expect(body).toContain('starling_peers_connected{link="direct"} 1');
    expect(body).toContain('starling_peers_connected{link="relayed"} 0');
    expect(body).toMatch(/starling_filesystem_size_bytes [1-9]/);
  });

  test('count the time since the last certificate from when it came', async () => {
    const { telemetry, told } = await opened();
    const since = async () => {
      const { body } = await told.metrics();
      return Number(/starling_job_since_certificate_seconds\{[^}]*\} (\S+)/.exec(body)?.[1]);
    };
    expect(await since()).toBeLessThan(5);
    const now = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 60_000);
    try {
      expect(await since()).toBeGreaterThanOrEqual(60);
      const { certificates } = report('training');
      const [certificate] = certificates as [JobReport['certificates'][number]];
      telemetry.take(JOB, { kind: 'certified', certificate, hash: '' as never, own: true });
      expect(await since()).toBeLessThan(5);
    } finally {
      now.mockRestore();
    }
  });

  test('of a job at its end say so, and no more how long it waits', async () => {
    const { told } = await opened({ node: { jobs: () => [report('finished')] } });
    const { body } = await told.metrics();
    expect(body).toMatch(/starling_job_running\{[^}]*\} 0/);
    expect(body).not.toContain('starling_job_since_certificate_seconds{');
  });
});

describe('health', () => {
  test('writes to the journal, and not each time it is asked', async () => {
    const put = vi.fn(async () => {});
    const { told } = await opened({ journal: { put } });
    expect(await told.health()).toEqual({ ok: true, status: 'alive' });
    expect(await told.health()).toEqual({ ok: true, status: 'alive' });
    expect(put).toHaveBeenCalledTimes(1);
  });

  test('is gone when the journal cannot be written', async () => {
    const put = () => Promise.reject(new Error('no space left'));
    const { told } = await opened({ journal: { put } });
    expect(await told.health()).toEqual({ ok: false, status: 'the journal cannot be written' });
  });

  test('is gone when the disk never answers', async () => {
    vi.useFakeTimers();
    try {
      const { told } = await opened({ journal: { put: () => new Promise<void>(() => {}) } });
      const answer = told.health();
      await vi.advanceTimersByTimeAsync(6_000);
      expect(await answer).toEqual({ ok: false, status: 'the disk is too slow' });
    } finally {
      vi.useRealTimers();
    }
  });
});

test('readiness follows the swarm', async () => {
  const [inside, outside] = [await opened(), await opened({}, 'revoked: lost')];
  expect(await inside.told.ready()).toEqual({ ok: true, status: 'ready' });
  expect(await outside.told.ready()).toMatchObject({ ok: false });
});

describe('the configuration', () => {
  test('has neither traces nor a format of logs of its own', () => {
    expect(configSchema.parse({})).toMatchObject({ logFormat: 'auto', telemetry: {} });
  });

  test.each([
    ['no address', /such as http:\/\/127\.0\.0\.1:4318/],
    ['ftp://127.0.0.1', /such as http/],
    ['http://user:secret@127.0.0.1:4318', /OTEL_EXPORTER_OTLP_HEADERS/],
  ])('refuses %s as an endpoint', (endpoint, words) => {
    const { error } = configSchema.safeParse({ telemetry: { otlp: { endpoint } } });
    expect(error?.issues[0]?.path).toEqual(['telemetry', 'otlp', 'endpoint']);
    expect(error?.issues[0]?.message).toMatch(words);
    expect(error?.issues[0]?.message).not.toContain('secret');
  });
});
