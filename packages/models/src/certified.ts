import { VectorSplit } from '@starling/autodiff';
import { readModel } from '@starling/onnx';
import type { Card, CardMetric, Lineage } from '@starling/protocol-models';
import { type Job, type Manifest, type Statement, statementHash } from '@starling/protocol-rounds';
import { type Chain, guaranteeOf, namedMetricsOf } from '@starling/rounds';

/** Numbers that a certificate holds about the model before its round. */
export const CERTIFIED_NAMES = ['accuracy', 'loss'] as const;
export type CertifiedName = (typeof CERTIFIED_NAMES)[number];

/** The number as a card has it; undefined when nobody measured. */
export function certifiedValue(
  statement: Statement,
  manifest: Manifest,
  name: string,
): number | undefined {
  const { correct, lossSum, examples } = statement.metrics;
  if (examples === 0) return undefined;
  if (name === 'accuracy') return correct / examples;
  if (name === 'loss') return lossSum / examples;
  return namedMetricsOf(statement, manifest)[name] ?? undefined;
}

/**
 * All that the last certificate of a chain measured, as metrics of a card. A model that answers
 * with numbers has no accuracy: a certificate counts none of its answers as right.
 */
export function certifiedMetrics(chain: Chain, { manifest }: Job): readonly CardMetric[] {
  const last = chain.at(-1)?.statement;
  if (last === undefined) return [];
  const { target } = manifest.data;
  const usual = target === 'numbers' || target === 'none' ? (['loss'] as const) : CERTIFIED_NAMES;
  const own = manifest.training.metrics.map((metric) => metric.name);
  return [...usual, ...own].flatMap((name) => {
    const value = certifiedValue(last, manifest, name);
    if (value === undefined) return [];
    const on = `validation splits of the peers, before round ${last.round}`;
    return [{ name, value, on, certified: last.round }];
  });
}

/** Where a model comes from, by the last certificate of its chain; null before the first. */
export function lineageOf(chain: Chain, { id, launcher }: Job): Lineage | null {
  const last = chain.at(-1)?.statement;
  if (last === undefined) return null;
  const certificate = statementHash(last);
  return { job: id, launcher, round: last.round, certificate, state: last.stateHash };
}

/**
 * What the job promises to each who took part, or null.
 * @throws ProtocolError when its model cannot be read
 */
export function privacyOf({ manifest }: Job, model: Uint8Array): Card['privacy'] {
  if (manifest.privacy.mechanism === 'none') return null;
  const { layout } = new VectorSplit(readModel(model), manifest.training);
  const guarantee = guaranteeOf(manifest, layout.parameters);
  if (guarantee === undefined) return null;
  const { epsilon, delta } = guarantee;
  return { mechanism: manifest.privacy.mechanism, epsilon, delta };
}
