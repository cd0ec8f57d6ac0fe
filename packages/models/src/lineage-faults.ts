import type { Card, CardMetric, Lineage } from '@starling/protocol-models';
import { type Job, type Manifest, MECHANISM_NAMES, statementHash } from '@starling/protocol-rounds';
import type { Chain } from '@starling/rounds';
import type { Finding } from './card-check.ts';
import { certifiedValue } from './certified.ts';
import { quote } from './words.ts';

/** Which field of a card's lineage is not that of its proof, or undefined. */
export function lineageFault(said: Lineage, chain: Chain, job: Job): string | undefined {
  if (said.job !== job.id) {
    return `the lineage: the proof is of job ${quote(job.id)}, the card says ${quote(said.job)}`;
  }
  if (said.launcher !== job.launcher) {
    return `the lineage: ${job.launcher} launched the job, the card says ${said.launcher}`;
  }
  const last = chain.at(-1)?.statement;
  if (last === undefined || last.round !== said.round) {
    const end = last === undefined ? 'has no certificate' : `ends in round ${last.round}`;
    return `the lineage: the chain ${end}, the card says ${said.round}`;
  }
  const hash = statementHash(last);
  if (hash !== said.certificate) {
    const which = `certificate of round ${last.round}`;
    return `the lineage: ${which} is ${quote(hash)}, the card says ${quote(said.certificate)}`;
  }
  if (last.stateHash === said.state) return undefined;
  const state = `the state of round ${last.round} is ${quote(last.stateHash)}`;
  return `the lineage: ${state}, the card says ${quote(said.state)}`;
}

/** Which certified metric does not stand in its certificate, or undefined. */
export function metricsFault(
  metrics: readonly CardMetric[],
  chain: Chain,
  manifest: Manifest,
): string | undefined {
  for (const { name, value, certified } of metrics) {
    const statement = certified === null ? undefined : chain[certified - 1]?.statement;
    if (statement === undefined) {
      return `the metric ${name}: the chain has no certificate of round ${certified}`;
    }
    const found = certifiedValue(statement, manifest, name);
    if (found === undefined) {
      return `the metric ${name}: the certificate of round ${certified} has none of this name`;
    }
    if (found !== value) {
      const where = `the certificate of round ${certified}`;
      return `the metric ${name}: ${where} has ${found}, the card says ${value}`;
    }
  }
  return undefined;
}

/** Logarithms differ in the last digits between engines. */
const TOLERANCE = 1e-9;

/** What the card says that the training gave away, beside what the manifest promises. */
export function privacyFault(
  said: NonNullable<Card['privacy']>,
  { manifest }: Job,
  promised: Card['privacy'],
): Finding {
  const { mechanism, epsilon, delta } = said;
  // Other noise, such as that of a data set's own owner, is in no manifest.
  const isOfManifest = (MECHANISM_NAMES as readonly string[]).includes(mechanism);
  if (!isOfManifest) return { standing: 'not checked', detail: "the publisher's word" };
  if (promised === null || promised.mechanism !== mechanism) {
    const has = manifest.privacy.mechanism;
    return `the privacy: the manifest has mechanism ${has}, the card says ${mechanism}`;
  }
  const isSame =
    delta === promised.delta && Math.abs(epsilon - promised.epsilon) <= TOLERANCE * epsilon;
  if (!isSame) {
    const { epsilon: e, delta: d } = promised;
    return `the privacy: the manifest gives ε ${e} at δ ${d}, the card says ${epsilon} at ${delta}`;
  }
  return { standing: 'holds', detail: `ε ${epsilon.toPrecision(3)} at δ ${delta}, as launched` };
}
