/**
 * Writes the test vectors of the wire protocols. A published vector is never edited: an entry that
 * exists and would come out differently is an error, new ones are appended.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { derivationVectors } from './vectors/derivations.ts';
import { inferBad, inferGood } from './vectors/infer.ts';
import { membershipBad, membershipGood, membershipIdentities } from './vectors/membership.ts';
import { modelsBad, modelsGood, modelsIdentities } from './vectors/models.ts';
import { offersBad, offersGood, offersIdentities } from './vectors/offers.ts';
import {
  badEnvelopes,
  envelopeVectors,
  identityVectors,
  roundsBad,
  roundsGood,
} from './vectors/rounds.ts';
import { secaggBad, secaggGood, secaggKnownAnswers } from './vectors/secagg.ts';

interface Named {
  readonly name: string;
  readonly type?: string;
}

const FILES: Readonly<Record<string, () => readonly unknown[]>> = {
  'protocols/secagg/vectors/good.json': secaggGood,
  'protocols/secagg/vectors/bad.json': secaggBad,
  'protocols/secagg/vectors/known-answers.json': secaggKnownAnswers,
  'protocols/secagg/vectors/derivations.json': derivationVectors,
  'protocols/rounds/vectors/good.json': roundsGood,
  'protocols/rounds/vectors/bad.json': roundsBad,
  'protocols/rounds/vectors/envelopes.json': envelopeVectors,
  'protocols/rounds/vectors/bad-envelopes.json': badEnvelopes,
  'protocols/rounds/vectors/identities.json': identityVectors,
  'protocols/membership/vectors/good.json': membershipGood,
  'protocols/membership/vectors/bad.json': membershipBad,
  'protocols/membership/vectors/identities.json': membershipIdentities,
  'protocols/models/vectors/good.json': () => [...modelsGood(), ...offersGood()],
  'protocols/models/vectors/bad.json': () => [...modelsBad(), ...offersBad()],
  'protocols/models/vectors/identities.json': () => [...modelsIdentities(), ...offersIdentities()],
  'protocols/infer/vectors/good.json': inferGood,
  'protocols/infer/vectors/bad.json': inferBad,
};

const nameOf = ({ name, type }: Named): string => `${type ?? ''}/${name}`;

function merge(path: string, made: readonly Named[]): readonly Named[] {
  const published: readonly Named[] = existsSync(path)
    ? (JSON.parse(readFileSync(path, 'utf8')) as Named[])
    : [];
  const fresh = new Map(made.map((entry) => [nameOf(entry), entry]));
  if (fresh.size !== made.length) throw new Error(`${path}: two vectors of one name`);
  for (const entry of published) {
    const now = fresh.get(nameOf(entry));
    if (now !== undefined && JSON.stringify(now) !== JSON.stringify(entry)) {
      throw new Error(`${path}: ${nameOf(entry)} is published and would change`);
    }
    fresh.delete(nameOf(entry));
  }
  return [...published, ...fresh.values()];
}

for (const [path, make] of Object.entries(FILES)) {
  mkdirSync(join(path, '..'), { recursive: true });
  const entries = merge(path, make() as readonly Named[]);
  const lines = entries.map((entry) => `  ${JSON.stringify(entry)}`);
  writeFileSync(path, `[\n${lines.join(',\n')}\n]\n`);
}
