import type { ApiError } from './api.ts';
import { applies, FIELDS, type Field, isFlag, type Values } from './fields.ts';
import type { JobFileInput } from './types.ts';
import type { Plain, PlainObject } from './yaml.ts';

/** Messages by the field's path. */
export type Faults = Readonly<Record<string, string>>;

/** What is wrong with the values, by field; nothing when the job may be launched. */
export function faultsOf(values: Values): Faults {
  const faults: Record<string, string> = {};
  for (const field of FIELDS) {
    if (!applies(field, values)) continue;
    const fault = faultOf(field, (values[field.path] ?? '').trim());
    if (fault !== undefined) faults[field.path] = fault;
  }
  return { ...crossFaults(values), ...faults };
}

function faultOf(field: Field, text: string): string | undefined {
  if (text === '') return field.required === true ? 'is needed' : undefined;
  switch (field.kind) {
    case 'text':
      return text.length > field.lengthMax ? `at most ${field.lengthMax} characters` : undefined;
    case 'choice':
      return field.options.includes(text) ? undefined : `one of ${field.options.join(', ')}`;
    case 'number':
      return numberFault(field, text);
    case 'list':
      return listFault(field, text);
  }
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

function numberFault(field: Extract<Field, { kind: 'number' }>, text: string): string | undefined {
  const { whole, min, max, above, below } = field;
  const value = Number(text);
  if (!NUMBER.test(text) || !Number.isFinite(value)) return 'is no number';
  if (whole === true && !Number.isSafeInteger(value)) return 'must be a whole number';
  if (min !== undefined && value < min) return `must be at least ${min}`;
  if (above !== undefined && value <= above) return `must be above ${above}`;
  if (max !== undefined && value > max) return `must be at most ${max}`;
  if (below !== undefined && value >= below) return `must be below ${below}`;
  return undefined;
}

const PATTERN_LENGTH_MAX = 96;
const itemsOf = (text: string): readonly string[] =>
  text
    .split(/[\s,x×]+/)
    .map((item) => item.trim())
    .filter((item) => item !== '');
const patternsOf = (text: string): readonly string[] =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');

function listFault(field: Extract<Field, { kind: 'list' }>, text: string): string | undefined {
  const items = field.of === 'patterns' ? patternsOf(text) : itemsOf(text);
  if (items.length === 0 && field.required === true) return 'is needed';
  if (items.length > field.itemsMax) return `at most ${field.itemsMax}`;
  if (field.of === 'patterns') {
    const isLong = items.some(({ length }) => length > PATTERN_LENGTH_MAX);
    return isLong ? `each at most ${PATTERN_LENGTH_MAX} characters` : undefined;
  }
  if (field.of === 'dimensions') {
    const ok = items.every(
      (item) => /^\d+$/.test(item) && Number.isSafeInteger(Number(item)) && Number(item) > 0,
    );
    return ok ? undefined : 'whole numbers above 0, with commas between';
  }
  if (!items.every((item) => NUMBER.test(item) && Number(item) >= 0)) return 'numbers from 0';
  return items.some((item) => Number(item) > 0) ? undefined : 'some class must count';
}

/** What is wrong with two values together. */
function crossFaults(values: Values): Faults {
  const number = (path: string): number => Number(values[path] || 0);
  const faults: Record<string, string> = {};
  if (values['aggregation.algorithm'] === 'fedprox' && number('training.proximal') <= 0) {
    faults['training.proximal'] = 'fedprox needs a term above 0, such as 0.01';
  }
  const isSgd = (values['training.optimizer'] || 'sgd') === 'sgd';
  if (isSgd && values['training.nesterov'] === 'true' && number('training.momentum') <= 0) {
    faults['training.nesterov'] = 'needs momentum above 0';
  }
  if (values['privacy.mechanism'] === 'distributed-gaussian') {
    const given = ['privacy.epsilon', 'privacy.noiseMultiplier'].filter((path) => values[path]);
    if (given.length !== 1) {
      faults['privacy.epsilon'] = 'give epsilon, such as 8, or the noise multiplier, and not both';
    }
  }
  const [least, most] = [values['admission.minPeers'] || 3, values['admission.maxPeers'] || 64];
  if (Number(least) > Number(most)) faults['admission.maxPeers'] = 'below the fewest peers';
  return faults;
}

/** What is said otherwise than usual, as a job file has it; the values have no faults. */
export function jobFileOf(values: Values, model: string): JobFileInput {
  const file: Record<string, unknown> = {};
  for (const field of FIELDS) {
    // In the order of a job file: its name first.
    if (field.path === 'data.task') put(file, 'model', model);
    const text = (values[field.path] ?? '').trim();
    if (text === '' || !applies(field, values) || isUsual(field, text)) continue;
    put(file, field.path, valueIn(field, text));
  }
  return file as unknown as JobFileInput;
}

/** The loss and the algorithm are worth a line in any case. */
const ALWAYS: ReadonlySet<string> = new Set(['loss', 'aggregation.algorithm', 'data.classes']);
const isUsual = ({ path, usual, required }: Field, text: string): boolean =>
  usual === text && required !== true && !ALWAYS.has(path);

function valueIn(field: Field, text: string): Plain {
  if (field.kind === 'number') return Number(text);
  if (field.kind === 'list') {
    return field.of === 'patterns' ? patternsOf(text) : itemsOf(text).map(Number);
  }
  return isFlag(field) ? text === 'true' : text;
}

function put(file: Record<string, unknown>, path: string, value: Plain): void {
  const keys = path.split('.');
  const last = keys.pop()!;
  let at = file;
  for (const key of keys) {
    at[key] ??= {};
    at = at[key] as Record<string, unknown>;
  }
  at[last] = value;
}

/** A job file for the YAML writer, which knows nothing of jobs. */
export const plainOf = (file: JobFileInput): PlainObject => file as unknown as PlainObject;

/**
 * The field that the daemon's refusal is about, and the words for it; undefined when it is about
 * none of them.
 */
export function faultFrom(error: ApiError): Faults | undefined {
  const [, named, words] = /^(?:job\.)?([A-Za-z][\w.]*): (.*)$/s.exec(error.message) ?? [];
  if (error.message.startsWith('not an ONNX file')) return { model: error.message };
  const candidates = [error.key, named, /^([a-zA-Z]+(?:\.[a-zA-Z]+)+) /.exec(error.message)?.[1]];
  for (const candidate of candidates) {
    const path = candidate?.replace(/^job\./, '').replace(/\.\d+$/, '');
    if (path === 'model' || FIELDS.some((field) => field.path === path)) {
      return { [path!]: candidate === named && words ? words : error.message };
    }
  }
  return undefined;
}
