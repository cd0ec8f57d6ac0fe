import { namedMean } from '@starling/federation';
import type { Manifest, Statement } from '@starling/protocol-rounds';

/** The job's own metrics of a round, by name; null where nothing was measured. */
export function namedMetricsOf(
  { metrics: { named = [], examples } }: Statement,
  { training }: Manifest,
): Readonly<Record<string, number | null>> {
  const all = training.metrics.map((metric, i) => {
    const steps = named[i];
    return [metric.name, steps === undefined ? null : namedMean(steps, examples, metric)] as const;
  });
  return Object.fromEntries(all);
}
