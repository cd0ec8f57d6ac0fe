import type { GuaranteeView } from '@starling/control';

/** A job's guarantee in one line. */
export function guaranteeText(guarantee: GuaranteeView | null): string {
  if (guarantee === null) return 'no differential privacy: the job adds no noise';
  const { epsilon, delta, updatesMax, noiseMultiplier } = guarantee;
  const noise = `noise multiplier ${noiseMultiplier.toPrecision(4)}`;
  const promise = `epsilon ${epsilon.toFixed(3)} at delta ${delta}`;
  return `${promise} over ${updatesMax} updates of a peer, ${noise}`;
}
