import { millis, ProtocolError } from '@starling/core';
import { describe, expect, test } from 'vitest';
import type { ServingError } from './failure.ts';
import type { ServeOptions } from './served-model.ts';
import { FakeEngine, floats, numbersOf } from './testing/fake-engine.ts';
import { FakeSource, fakeServing, OPTIONS, servingOne } from './testing/serve.ts';

const ask = (rows: readonly (readonly number[])[]) => ({ inputs: [floats(rows)] });
const failureOf = (promise: Promise<unknown>): Promise<ServingError> =>
  promise.then(
    () => {
      throw new Error('it was answered');
    },
    (error: ServingError) => error,
  );

describe('requests that come together', () => {
  test('share runs, and each gets its own rows', async () => {
    const { serving, engines } = await servingOne();
    const sizes = [1, 2, 1, 3, 4, 1];
    const answers = await Promise.all(
      sizes.map((rows, i) => {
        const own = Array.from({ length: rows }, (_, row) => [100 * i + row, i]);
        return serving.infer('m', ask(own), 'ada');
      }),
    );
    for (const [i, { outputs, version }] of answers.entries()) {
      expect(version).toBe('1');
      expect(outputs.map(({ name, shape }) => [name, shape])).toEqual([
        ['y', [sizes[i], 2]],
        ['z', [sizes[i], 2]],
      ]);
      const expected = Array.from({ length: sizes[i]! }, (_, row) => [100 * i + row + 1, i + 1]);
      expect(numbersOf(outputs[0]!)).toEqual(expected.flat());
    }
    expect(engines[0]!.runs.length).toBeLessThan(sizes.length);
    expect(Math.max(...engines[0]!.runs)).toBeLessThanOrEqual(OPTIONS.maxBatch);
  });

  test('get the outputs that they want alone', async () => {
    const { serving } = await servingOne();
    const both = await Promise.all([
      serving.infer('m', { ...ask([[1, 1]]), outputs: ['z'] }, 'ada'),
      serving.infer('m', { ...ask([[1, 1]]), outputs: ['y'] }, 'ada'),
    ]);
    expect(both.map(({ outputs }) => outputs.map(({ name }) => name))).toEqual([['z'], ['y']]);
  });

  test('run alone where the model’s rows cannot be put together', async () => {
    const engine = new FakeEngine({ unbatchable: 'they touch' });
    const { serving } = await servingOne({}, { open: async () => engine });
    await Promise.all(
      [1, 2, 3].map((rows) => serving.infer('m', ask(Array(rows).fill([0, 0])), 'ada')),
    );
    expect(engine.runs).toEqual([1, 2, 3]);
  });
});

describe('what a model does not take is refused by name', () => {
  const CASES: readonly [string, object, RegExp][] = [
    ['a missing input', { inputs: [] }, /input "x" is missing/],
    [
      'an unknown one',
      { inputs: [floats([[1, 2]]), floats([[1, 2]], 'w')] },
      /no input "w"; it has "x"/,
    ],
    ['one twice', { inputs: [floats([[1, 2]]), floats([[1, 2]])] }, /there twice/],
    [
      'a type',
      { inputs: [{ ...floats([[1, 2]]), dtype: 'int32' }] },
      /"x" is int32, the model takes float32/,
    ],
    [
      'a shape',
      { inputs: [floats([[1, 2, 3]])] },
      /"x" has the shape \[1, 3\], the model takes \[any, 2\]/,
    ],
    ['a rank', { inputs: [{ ...floats([[1, 2]]), shape: [2] }] }, /the shape \[2\]/],
    ['a length', { inputs: [{ ...floats([[1, 2]]), shape: [2, 2] }] }, /8 bytes of data.*makes 16/],
    ['no row', { inputs: [floats([])] }, /shape|not one row/],
    [
      'too many rows',
      { inputs: [floats(Array(5).fill([1, 2]))] },
      /5 rows in one request, at most 4/,
    ],
    ['an output', { ...ask([[1, 2]]), outputs: ['q'] }, /no output "q"; it has "y", "z"/],
    [
      'far too much',
      { inputs: [{ ...floats([[1, 2]]), shape: [2 ** 31, 2] }] },
      /at most 16777216/,
    ],
  ];
  test.each(CASES)('%s', async (_, request, words) => {
    const { serving } = await servingOne();
    const failure = await failureOf(serving.infer('m', request as ReturnType<typeof ask>, 'ada'));
    expect(failure.kind).toBe('bad-request');
    expect(failure.message).toMatch(words);
  });

  test('inputs of different numbers of rows, and bytes that are no bool', async () => {
    const inputs = ['x', 'w'].map((name) => ({
      name,
      dtype: 'float32' as const,
      shape: [null, 2],
    }));
    const { serving } = await servingOne({}, { open: async () => new FakeEngine({ inputs }) });
    const uneven = { inputs: [floats([[1, 2]]), floats(Array(2).fill([1, 2]), 'w')] };
    expect((await failureOf(serving.infer('m', uneven, 'ada'))).message).toMatch(
      /"x" has 1 rows and "w" 2/,
    );
    const truth = [{ name: 'x', dtype: 'bool' as const, shape: [null] }];
    const other = await servingOne({}, { open: async () => new FakeEngine({ inputs: truth }) });
    const odd = { inputs: [{ ...truth[0]!, shape: [1], bytes: Uint8Array.of(2) }] };
    expect((await failureOf(other.serving.infer('m', odd, 'ada'))).message).toMatch(
      /neither 0 nor 1/,
    );
  });

  test('a model, or a version of it, that is not served', async () => {
    const { serving } = await servingOne();
    expect((await failureOf(serving.infer('n', ask([[1, 2]]), 'ada'))).kind).toBe('unknown-model');
    const old = await failureOf(serving.infer('m', { ...ask([[1, 2]]), version: '0' }, 'ada'));
    expect(old).toMatchObject({ kind: 'unknown-model', message: expect.stringMatching(/at 1$/) });
  });
});

describe('limits', () => {
  test('a full queue refuses, and says when to try again', async () => {
    const { serving, engines } = await servingOne({ queue: 2, maxBatch: 1 });
    const go = engines[0]!.hold();
    const asked = [1, 2, 3, 4, 5].map((n) => serving.infer('m', ask([[n, n]]), 'ada'));
    const failure = await failureOf(asked[4]!);
    expect(failure).toMatchObject({ kind: 'queue-full', retrySeconds: 1 });
    go();
    expect(await Promise.all(asked.slice(0, 4))).toHaveLength(4);
    expect(serving.list()[0]).toMatchObject({ requests: 5, failures: 1, waiting: 0, runs: 4 });
  });

  test('each client has its own quota, which fills again with time', async () => {
    let now = 0;
    const clock = { now: () => millis(now), setTimer: () => () => {} };
    const { serving } = await servingOne({ quota: 2 }, { clock });
    const once = (client: string) => serving.infer('m', ask([[1, 2]]), client);
    await once('ada');
    await once('ada');
    expect(await failureOf(once('ada'))).toMatchObject({ kind: 'quota', retrySeconds: 30 });
    await once('bob');
    now += 29_000;
    expect(await failureOf(once('ada'))).toMatchObject({ kind: 'quota', retrySeconds: 1 });
    now += 1_000;
    await once('ada');
  });
});

describe('a newer version', () => {
  test('takes over under load, and not one request is lost', async () => {
    const { serving, source, model, engines } = await servingOne({ queue: 1000 });
    const answers: { readonly version: string; readonly value: number }[] = [];
    let isOver = false;
    const client = async (n: number) => {
      while (!isOver) {
        const { version, outputs } = await serving.infer('m', ask([[n, n]]), 'ada');
        answers.push({ version, value: numbersOf(outputs[0]!)[0]! - n });
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const clients = Array.from({ length: 20 }, (_, n) => client(n));
    for (const version of [2, 3, 4, 5]) {
      const before = answers.length;
      while (answers.length < before + 100) await new Promise((resolve) => setImmediate(resolve));
      source.tell(String(version));
      await model.refresh();
    }
    isOver = true;
    await Promise.all(clients);
    // Each answer is of the version that it says.
    for (const { version, value } of answers) expect(value).toBe(Number(version));
    expect(new Set(answers.map(({ version }) => version)).size).toBeGreaterThanOrEqual(4);
    expect(serving.list()[0]).toMatchObject({ version: '5', failures: 0, swaps: 4 });
    expect(engines.map(({ isClosed }) => isClosed)).toEqual([true, true, true, true, false]);
  });

  test('leaves those that run and wait with the old one, which ends after them', async () => {
    const { serving, source, model, engines } = await servingOne({ maxBatch: 1 });
    const go = engines[0]!.hold();
    const old = [1, 2, 3].map((n) => serving.infer('m', ask([[n, n]]), 'ada'));
    source.tell('2');
    await model.refresh();
    expect(engines[0]!.isClosed).toBe(false);
    go();
    expect((await Promise.all(old)).map(({ version }) => version)).toEqual(['1', '1', '1']);
    expect((await serving.infer('m', ask([[1, 1]]), 'ada')).version).toBe('2');
    expect(engines[0]!.isClosed).toBe(true);
  });

  test('that does not load leaves the old one in place, and says why', async () => {
    const open = async ([version]: Uint8Array) => {
      if (version === 2) throw new ProtocolError('model-failed', 'it is broken');
      return new FakeEngine({ plus: version! });
    };
    const { serving, source, model } = await servingOne({}, { open });
    source.tell('2');
    await model.refresh();
    expect(serving.list()[0]).toMatchObject({ version: '1', problem: 'it is broken', swaps: 0 });
    expect((await serving.infer('m', ask([[1, 1]]), 'ada')).version).toBe('1');
    source.tell('3');
    await model.refresh();
    expect(serving.list()[0]).toMatchObject({ version: '3', problem: null });
  });

  test('is waited for where there is none yet', async () => {
    const { serving } = fakeServing();
    const source = new FakeSource();
    const model = serving.add('later', source, OPTIONS);
    await model.refresh();
    const failure = await failureOf(serving.infer('later', ask([[1, 1]]), 'ada'));
    expect(failure).toMatchObject({ kind: 'not-ready', retrySeconds: 5 });
    source.tell('7');
    await model.refresh();
    expect((await serving.infer('later', ask([[1, 1]]), 'ada')).version).toBe('7');
  });
});

describe('a model that fails', () => {
  const failing = async (code: string, options: Partial<ServeOptions> = {}) => {
    const engine = new FakeEngine();
    let left = 1;
    const run = engine.run.bind(engine);
    engine.run = async (inputs) => {
      if (left-- > 0) throw new ProtocolError(code, 'no luck');
      return run(inputs);
    };
    return servingOne(options, { open: async () => engine });
  };
  const KINDS = [
    ['model-crashed', 'crashed'],
    ['model-restarting', 'not-ready'],
    ['model-failed', 'failed'],
  ] as const;

  test.each(KINDS)('by %s fails those of that run alone', async (code, kind) => {
    const { serving } = await failing(code, { maxBatch: 1 });
    const [first, second] = [1, 2].map((n) => serving.infer('m', ask([[n, n]]), 'ada'));
    expect((await failureOf(first!)).kind).toBe(kind);
    expect(numbersOf((await second!).outputs[0]!)).toEqual([3, 3]);
  });
});

test('a model that is taken away answers what it has, and nothing more', async () => {
  const { serving, engines } = await servingOne();
  const go = engines[0]!.hold();
  const last = serving.infer('m', ask([[1, 1]]), 'ada');
  const removed = serving.remove('m');
  expect((await failureOf(serving.infer('m', ask([[1, 1]]), 'ada'))).kind).toBe('unknown-model');
  go();
  expect((await last).version).toBe('1');
  await removed;
  expect(engines[0]!.isClosed).toBe(true);
  await expect(serving.remove('m')).rejects.toThrow(/no model "m" is served/);
});

test('a daemon that stops waits for no run: what is not answered fails', async () => {
  const { serving, engines } = await servingOne({ maxBatch: 1 });
  const go = engines[0]!.hold();
  const asked = [1, 2, 3].map((n) => failureOf(serving.infer('m', ask([[n, n]]), 'ada')));
  const closed = serving.close();
  go();
  expect((await Promise.all(asked)).map(({ kind }) => kind)).toEqual(Array(3).fill('failed'));
  await closed;
});

test('an end waits for no model that is on its way, and none is loaded afterwards', async () => {
  const { serving, engines } = fakeServing();
  let come = (_: Uint8Array) => {};
  const bytes = () =>
    new Promise<Uint8Array>((resolve) => {
      come = resolve;
    });
  const newest = async () => ({ version: '1', identity: '1', bytes });
  const model = serving.add('m', { newest, watch: () => () => {} }, OPTIONS);
  const loaded = model.refresh();
  await serving.close();
  come(Uint8Array.of(1));
  await loaded;
  expect(engines).toEqual([]);
});
