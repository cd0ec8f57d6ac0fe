import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { ConfigError } from '@starling/core';
import { type ExampleSet, parseDataOptions, type SourceInfo } from '@starling/trainer';
import type { Settings } from '../schema.ts';
import type { LabData } from './lab-data.ts';

/** What `data.id` says for a text in which a line `NAME:` begins each speech. */
export const SPEAKER = 'speaker';
const SEQUENCE = 64;

/**
 * A play, cut by who speaks, as LEAF does with Shakespeare (Caldas et al. 2018): all speeches of a
 * role follow each other and are cut into sequences of characters; the last part of each role's is
 * the test. Roles with too little for one sequence of each are left out.
 * @throws ConfigError `data` where there are no speeches
 */
export async function fromSpeeches(path: string, data: Settings['data']): Promise<LabData> {
  const { sequence: length = SEQUENCE } = parseDataOptions({ sequence: data.sequence });
  const speeches = speechesIn(await readFile(path, 'utf8'));
  const alphabet = [...new Set([...speeches.values()].join(''))].sort();
  const index = new Map(alphabet.map((character, i) => [character, i]));
  const [train, test]: [number[], number[]] = [[], []];
  const ids: string[] = [];
  for (const [role, text] of speeches) {
    const tokens = Array.from(text, (character) => index.get(character)!);
    const count = Math.floor((tokens.length - 1) / length);
    const tested = Math.round(data.test * count);
    if (tested === 0 || tested === count) continue;
    const trained = (count - tested) * length;
    train.push(...pairs(tokens.slice(0, trained + 1), length));
    test.push(...pairs(tokens.slice(trained, count * length + 1), length));
    for (let i = 0; i < count - tested; i++) ids.push(role);
  }
  if (ids.length === 0) {
    const hint = 'A speech begins with a line of the name and a colon, and ends with an empty line';
    throw new ConfigError('data.id', `${path} has no speeches long enough`, hint);
  }
  const asSet = (values: readonly number[]) => setOf(values, length, alphabet.length);
  const task = basename(path).replace(/\.[^.]+$/, '');
  return { task, train: asSet(train), test: asSet(test), ids };
}

/** By role, in order of their first words: all that each says. */
export function speechesIn(text: string): ReadonlyMap<string, string> {
  const roles = new Map<string, string>();
  for (const block of text.split(/\r?\n\r?\n/)) {
    const [, role, words] = /^([^\n]{1,64}):\n([\s\S]+)$/.exec(block.trim()) ?? [];
    if (role !== undefined) roles.set(role, `${roles.get(role) ?? ''}${words}\n`);
  }
  return roles;
}

/** Each sequence, and behind it the same one token later. */
function pairs(tokens: readonly number[], length: number): readonly number[] {
  const cut: number[] = [];
  for (let at = 0; at + length < tokens.length; at += length) {
    cut.push(...tokens.slice(at, at + length), ...tokens.slice(at + 1, at + length + 1));
  }
  return cut;
}

function setOf(values: readonly number[], length: number, classes: number): ExampleSet {
  const count = values.length / (2 * length);
  const [inputs, targets] = [new Int32Array(count * length), new Int32Array(count * length)];
  for (let i = 0; i < count; i++) {
    const from = 2 * i * length;
    inputs.set(values.slice(from, from + length), i * length);
    targets.set(values.slice(from + length, from + 2 * length), i * length);
  }
  const info: SourceInfo = {
    ...{ format: 'text', count, shape: [length], elements: { dtype: 'int32' } },
    target: { kind: 'sequence', count: classes, length },
  };
  return { info, examples: { count, inputs, targets } };
}
