import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Api, ApiError } from './api.ts';
import type { ServerEvent } from './sse.ts';
import { Store } from './store.ts';
import type { JobView, Status } from './types.ts';

const job = (id: string, change: Partial<JobView> = {}): JobView => ({
  ...{ id, name: `job ${id}`, launcher: 'peer', standing: 'participating', detail: 'data set a' },
  ...{ phase: 'training', progress: null, privacy: null, live: null, rounds: [] },
  ...{ roundsWanted: 5, secondsPerRound: 2, suspects: [], stateHash: null },
  ...change,
});

/** A daemon whose answers the test sets, and whose events it sends. */
class FakeApi implements Api {
  jobs: JobView[] = [job('a')];
  isUp = true;
  readonly asked: string[] = [];
  readonly after: (string | undefined)[] = [];
  #send: ((event: ServerEvent | undefined) => void) | undefined;

  async get<T>(path: string): Promise<T> {
    this.asked.push(path);
    if (!this.isUp) throw new ApiError(0, 'no-answer', 'it does not answer');
    if (path === '/v1/jobs') return this.jobs as T;
    if (path === '/v1/status') return { jobs: this.jobs.length } as Status as T;
    return this.jobs.find(({ id }) => path.endsWith(id)) as T;
  }

  send<T>(): Promise<T> {
    throw new Error('nothing is sent here');
  }

  async *events(_: string, stream: Parameters<Api['events']>[1]): AsyncGenerator<ServerEvent> {
    this.after.push(stream.after);
    stream.opened();
    for (;;) {
      const event = await new Promise<ServerEvent | undefined>((resolve) => {
        this.#send = resolve;
        stream.signal.addEventListener('abort', () => resolve(undefined));
      });
      if (event === undefined) return;
      yield event;
    }
  }

  async tell(data: object | undefined, name = 'message', id = '1'): Promise<void> {
    this.#send!(data && { name, id, data: JSON.stringify(data) });
    await vi.advanceTimersByTimeAsync(0);
  }
}

let api: FakeApi;
let store: Store;

beforeEach(async () => {
  vi.useFakeTimers();
  api = new FakeApi();
  store = new Store(api);
  store.start();
  await vi.advanceTimersByTimeAsync(0);
});

afterEach(() => {
  store.stop();
  vi.useRealTimers();
});

const event = (change: object = {}) => ({
  job: 'a',
  kind: 'phase',
  text: 'round 1: sums',
  ...change,
});

test('an event is shown at once, and the whole job a moment later', async () => {
  expect(store.snapshot).toMatchObject({ isLive: true, jobs: [{ id: 'a', live: null }] });
  api.jobs = [job('a', { phase: 'session', secondsPerRound: 9 })];
  await api.tell(event({ live: { round: 1 } }));
  expect(store.snapshot.jobs).toMatchObject([{ live: { round: 1 }, phase: 'training' }]);
  await api.tell(event({ live: { round: 1 } }));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(store.snapshot.jobs).toMatchObject([{ phase: 'session', secondsPerRound: 9 }]);
  expect(api.asked.filter((path) => path === '/v1/jobs/a')).toHaveLength(1);
  expect(store.snapshot.logs.get('a')).toHaveLength(2);
});

test('a certificate is said to screen readers, a phase is not', async () => {
  await api.tell(event());
  expect(store.snapshot.said).toBe('');
  const view = job('a', { phase: 'finished' });
  await api.tell(event({ kind: 'certified', text: 'round 1 certified', view }));
  expect(store.snapshot.said).toBe('job a: round 1 certified');
  expect(store.snapshot.jobs).toEqual([view]);
});

test('a job that nobody knew, and missed events, are asked for', async () => {
  api.jobs = [job('a'), job('b')];
  await api.tell(event({ job: 'b' }));
  expect(store.snapshot.jobs?.map(({ id }) => id)).toEqual(['a', 'b']);
  api.jobs = [job('b')];
  await api.tell({ text: 'events are forgotten' }, 'gap');
  expect(store.snapshot.jobs?.map(({ id }) => id)).toEqual(['b']);
});

test('a stream that ends goes on after the last event', async () => {
  await api.tell(event(), 'message', '17');
  await api.tell(undefined);
  expect(store.snapshot.isLive).toBe(false);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(api.after).toEqual([undefined, '17']);
  expect(store.snapshot.isLive).toBe(true);
});

test('where a job stands is told, and needs no asking', async () => {
  const before = api.asked.filter((path) => path.startsWith('/v1/jobs')).length;
  const view = job('a', { standing: 'waiting-for-approval' });
  await api.tell(event({ kind: 'standing', text: 'waiting-for-approval: ask first', view }));
  expect(store.snapshot.jobs).toEqual([view]);
  expect(store.snapshot.said).toBe('job a: waiting-for-approval: ask first');
  await vi.advanceTimersByTimeAsync(12_000);
  expect(api.asked.filter((path) => path.startsWith('/v1/jobs'))).toHaveLength(before);
});

test('a daemon that is gone is said to be, and found again', async () => {
  api.isUp = false;
  await vi.advanceTimersByTimeAsync(3_000);
  expect(store.snapshot).toMatchObject({ failure: 'it does not answer', jobs: [{ id: 'a' }] });
  api.isUp = true;
  await vi.advanceTimersByTimeAsync(3_000);
  expect(store.snapshot.failure).toBeUndefined();
});

test('while nobody looks nothing is asked', async () => {
  store.stop();
  const before = api.asked.length;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(api.asked.length).toBe(before);
  expect(store.snapshot.isLive).toBe(false);
});
