import { type JobFile, jobFileSchema } from '@starling/control';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { ApiError } from './api.ts';
import { FIELDS, type Field, type Values } from './fields.ts';
import { faultFrom, faultsOf, jobFileOf, plainOf } from './job-form.ts';
import { toYaml } from './yaml.ts';

const LEAST: Values = {
  ...{ name: 'job', 'data.task': 'mnist', 'data.input.shape': '784', 'data.classes': '10' },
  'stop.rounds': '5',
};
/** What makes a field mean something. */
const SETTINGS: readonly Values[] = [
  {},
  ...['adam', 'adamw', 'rmsprop', 'adagrad'].map((name) => ({ 'training.optimizer': name })),
  ...['step', 'cosine', 'polynomial'].map((name) => ({ 'training.schedule.kind': name })),
  ...['fedavgm', 'fedadam', 'fednova'].map((name) => ({ 'aggregation.algorithm': name })),
  { 'aggregation.weighting': 'examples' },
  { 'aggregation.combination': 'multi-krum' },
  { 'privacy.mechanism': 'distributed-gaussian', 'privacy.epsilon': '8' },
  { 'stop.target.metric': 'loss', 'stop.target.value': '0.1' },
];

/** Values in which a field means something. */
function settingFor({ when, path }: Field): Values {
  const found = SETTINGS.find((setting) => when?.({ ...LEAST, ...setting }) ?? true);
  if (found === undefined) throw new Error(`no setting for ${path}`);
  const isNoise = path === 'privacy.noiseMultiplier';
  return { ...LEAST, ...found, ...(isNoise && { 'privacy.epsilon': '' }) };
}

const schemaTakes = (values: Values): boolean =>
  jobFileSchema.safeParse(jobFileOf(values, 'model.onnx')).success;
const formTakes = (values: Values): boolean => Object.keys(faultsOf(values)).length === 0;

/** Texts at both sides of each limit. */
function probes(field: Field): readonly string[] {
  switch (field.kind) {
    case 'text':
      return ['a', 'a'.repeat(field.lengthMax), 'a'.repeat(field.lengthMax + 1)];
    case 'choice':
      return [...field.options];
    case 'list':
      return field.of === 'patterns'
        ? [
            'a',
            'a'.repeat(96),
            'a'.repeat(97),
            Array(field.itemsMax + 1)
              .fill('a')
              .join(),
          ]
        : [
            '1',
            '0',
            '0.5',
            '-1',
            Array(field.itemsMax).fill('2').join(),
            `${'2,'.repeat(field.itemsMax)}2`,
          ];
    case 'number': {
      const limits = [field.min, field.max, field.above, field.below, 0, 1, 1e9];
      const near = limits.flatMap((at) =>
        at === undefined ? [] : [at, at + 1, at - 1, at + 1e-9, at - 1e-9, at / 2],
      );
      return near.map(String);
    }
  }
}

/** Rules of the form, or of the daemon, that the file's schema does not know. */
const isStricter = (values: Values): boolean =>
  Number(values['admission.minPeers'] || 3) > Number(values['admission.maxPeers'] || 64);

describe('the form says what the schema says', () => {
  test.each(FIELDS.map((field) => [field.path, field] as const))('%s', (path, field) => {
    for (const text of probes(field)) {
      const values = { ...settingFor(field), [path]: text };
      if (isStricter(values)) continue;
      // A proximal term and momentum are what other fields ask for.
      if (path === 'aggregation.algorithm') Object.assign(values, { 'training.proximal': '1' });
      if (path === 'training.nesterov') Object.assign(values, { 'training.momentum': '0.5' });
      if (path === 'privacy.mechanism' && text !== 'none') values['privacy.epsilon'] = '8';
      if (path === 'stop.target.metric') values['stop.target.value'] = '1';
      const shown = { path, text: text.slice(0, 20) };
      expect({ ...shown, ok: formTakes(values) }).toEqual({ ...shown, ok: schemaTakes(values) });
    }
  });

  test('every key of the schema is a field, but for three that are of the model', () => {
    interface Schema {
      readonly properties?: Readonly<Record<string, Schema>>;
    }
    const keysOf = ({ properties }: Schema, path: string): readonly string[] =>
      properties === undefined
        ? [path]
        : Object.entries(properties).flatMap(([key, inner]) =>
            keysOf(inner, path === '' ? key : `${path}.${key}`),
          );
    const schema = z.toJSONSchema(jobFileSchema, { io: 'input', unrepresentable: 'any' });
    const keys = keysOf(schema as Schema, '');
    // The model is chosen as a file; which of its outputs is what is for a job file to say.
    const fields = [...FIELDS.map(({ path }) => path), 'model', 'output', 'training.metrics'];
    expect([...keys].sort()).toEqual(fields.sort());
  });

  test('every default is the same', () => {
    const leaves = (value: unknown, path: string): [string, unknown][] =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.entries(value).flatMap(([key, inner]) =>
            leaves(inner, path === '' ? key : `${path}.${key}`),
          )
        : [[path, value]];
    const parsed = jobFileSchema.parse(jobFileOf(LEAST, 'model.onnx'));
    for (const [path, value] of leaves(parsed, '')) {
      if (path === 'model' || path === 'training.metrics') continue;
      const field = FIELDS.find((each) => each.path === path);
      expect(field, path).toBeDefined();
      const { usual, required, placeholder } = field!;
      if (usual === undefined || required || placeholder !== undefined) continue;
      if (path in LEAST) continue;
      expect({ path, value: String(value) }).toEqual({ path, value: usual });
    }
  });

  test.each([
    ['fedprox without a term', { 'aggregation.algorithm': 'fedprox' }, 'training.proximal'],
    ['nesterov without momentum', { 'training.nesterov': 'true' }, 'training.nesterov'],
    ['noise of no size', { 'privacy.mechanism': 'distributed-gaussian' }, 'privacy.epsilon'],
    [
      'noise of two sizes',
      {
        ...{ 'privacy.mechanism': 'distributed-gaussian', 'privacy.epsilon': '8' },
        'privacy.noiseMultiplier': '1',
      },
      'privacy.epsilon',
    ],
  ])('%s', (_, change: Values, path) => {
    const values = { ...LEAST, ...change };
    expect(faultsOf(values)).toHaveProperty([path]);
    expect(schemaTakes(values)).toBe(false);
  });

  test('more peers at least than at most', () => {
    const values = { ...LEAST, 'admission.minPeers': '9', 'admission.maxPeers': '8' };
    expect(faultsOf(values)).toEqual({ 'admission.maxPeers': 'below the fewest peers' });
  });
});

test('an empty form says what it needs', () => {
  expect(Object.keys(faultsOf({})).sort()).toEqual([
    ...['data.input.shape', 'data.task', 'name', 'stop.rounds'],
  ]);
});

test.each(['abc', '1,5', '0x10', 'Infinity', '--1', '1e400'])('%s is no number', (text) => {
  expect(faultsOf({ ...LEAST, 'training.learningRate': text })).toHaveProperty([
    'training.learningRate',
  ]);
});

test('the YAML shown is the job that is launched', () => {
  const text = fc.stringMatching(/^\S(?:.{0,30}\S)?$/u);
  const rounds = fc.integer({ min: 1, max: 1000 }).map(String);
  fc.assert(
    fc.property(
      text,
      text,
      rounds,
      fc.constantFrom('sgd', 'adam'),
      (name, task, stop, optimizer) => {
        const values = {
          ...{ ...LEAST, name, 'data.task': task, 'stop.rounds': stop },
          ...{ 'training.optimizer': optimizer, 'data.input.shape': '3x32 x 32' },
        };
        const file = jobFileOf(values, 'model.onnx');
        const read: JobFile = jobFileSchema.parse(parse(toYaml(plainOf(file))));
        expect(read).toEqual(jobFileSchema.parse(file));
        expect(read.data.input.shape).toEqual([3, 32, 32]);
      },
    ),
  );
});

test.each([
  [new ApiError(400, 'invalid', 'job.training.epochs: too big'), { 'training.epochs': 'too big' }],
  [new ApiError(400, 'config', 'model: not an ONNX file', 'model'), { model: 'not an ONNX file' }],
  [
    new ApiError(400, 'config', 'manifest: x', 'aggregation.ringBits'),
    { 'aggregation.ringBits': 'manifest: x' },
  ],
  [
    new ApiError(400, 'invalid', 'job.data.input.shape.0: too small'),
    { 'data.input.shape': 'too small' },
  ],
  [new ApiError(409, 'onnx', 'not an ONNX file: cut off'), { model: 'not an ONNX file: cut off' }],
  [new ApiError(409, 'no-peers', 'nobody is there'), undefined],
])('a refusal goes to the field that it is about', (error, faults) =>
  expect(faultFrom(error)).toEqual(faults),
);
