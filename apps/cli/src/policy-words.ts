import {
  POLICY_KEYS,
  type PolicyChange,
  type PolicyView,
  policyChangeSchema,
} from '@starling/control';
import { ConfigError, errorMessage } from '@starling/core';
import { parse } from 'yaml';

/** The word that goes back to what the configuration says. */
const DEFAULT = 'default';
const LISTS = ['trust', 'company'];
const BY_DATA = ['privacyBudget', 'exampleNoise'] as const;

/**
 * What `policy set KEY VALUE` means.
 * @param now the policy in force, of which a key by data set keeps the other data sets
 * @throws ConfigError that names the key, and what it takes
 */
export function changeOf(key: string, value: string, now: PolicyView): PolicyChange {
  const [head, name] = split(key);
  const byData = BY_DATA.find((each) => each === head);
  const wanted =
    byData !== undefined && name !== undefined
      ? entryOf({ key, value, name, now: now[byData] })
      : wordsOf(head, value);
  const parsed = policyChangeSchema.safeParse({ [head]: wanted });
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw new ConfigError(`policy.${path.join('.')}`, message, `You wrote ${value}`);
}

/** The name of a data set may have dots. */
function split(key: string): readonly [head: string, name: string | undefined] {
  const dot = key.indexOf('.');
  const head = dot < 0 ? key : key.slice(0, dot);
  if (!POLICY_KEYS.some((known) => known === head)) {
    const hint = `It has ${POLICY_KEYS.join(', ')}; the rest is for the configuration file`;
    throw new ConfigError('policy', `there is no key "${head}" to set`, hint);
  }
  return [head, dot < 0 ? undefined : key.slice(dot + 1)];
}

function wordsOf(key: string, value: string): unknown {
  if (value === DEFAULT) return null;
  if (!LISTS.includes(key)) return read(key, value);
  return value === 'none' ? [] : value.split(',').map((part) => part.trim());
}

interface Entry {
  readonly key: string;
  readonly value: string;
  readonly name: string;
  readonly now: Readonly<Record<string, object>>;
}

/** Others stay; `default` takes the data set out, and the last one the key. */
function entryOf({ key, value, name, now }: Entry): unknown {
  const { [name]: _, ...others } = now;
  if (value !== DEFAULT) return { ...others, [name]: read(key, value) };
  return Object.keys(others).length === 0 ? null : others;
}

function read(key: string, value: string): unknown {
  try {
    return parse(value);
  } catch (error) {
    throw new ConfigError(`policy.${key}`, `${errorMessage(error).split('\n')[0]}`);
  }
}
