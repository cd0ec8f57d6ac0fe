import { byzantineMax, threshold as thresholdOf } from '@starling/protocol-secagg';
import { choose, countOf, drawsWithAtLeast, log2OfRatio } from './exact.ts';

/** The other way to aggregate over many peers: random cells, each with a complete graph. */
export interface CellCollusion {
  readonly peers: number;
  readonly cellPeers: number;
  readonly corruptFraction: number;
  /** Colluders that break a cell; its share threshold when absent. */
  readonly least?: number;
}

/**
 * log2 of the expected number of cells with `least` corrupt members or more, which bounds the
 * probability that there is one; to a 1024th, rounded down, at most 0; −∞ when there are too few
 * corrupt peers. Exact for each cell (members are drawn without putting back), with peers/cellPeers
 * cells of one size.
 */
export function cellCollusionBits({
  peers,
  cellPeers,
  corruptFraction,
  least = thresholdOf(cellPeers),
}: CellCollusion): number {
  const marked = countOf(peers, corruptFraction);
  const broken = drawsWithAtLeast({ population: peers, marked, drawn: cellPeers }, least);
  const draws = choose(peers, cellPeers) * BigInt(cellPeers);
  return Math.min(0, log2OfRatio(broken * BigInt(peers), draws));
}

/** Corrupt members beyond what a cell's own decision could bear: why the whole roster decides. */
export const cellOverrunBits = (request: Omit<CellCollusion, 'least'>): number =>
  cellCollusionBits({ ...request, least: byzantineMax(request.cellPeers) + 1 });

/**
 * Probability that one cell loses more members than its threshold allows, when each is lost with
 * this probability by itself. Only + − × ÷, which are exact alike in every engine.
 */
export function cellAbortProbability({
  cellPeers,
  dropoutFraction,
  threshold = thresholdOf(cellPeers),
}: {
  readonly cellPeers: number;
  readonly dropoutFraction: number;
  readonly threshold?: number;
}): number {
  let probability = 0;
  for (let lost = cellPeers; lost > cellPeers - threshold; lost--) {
    let exactly = Number(choose(cellPeers, lost));
    for (let i = 0; i < cellPeers; i++) exactly *= i < lost ? dropoutFraction : 1 - dropoutFraction;
    probability += exactly;
  }
  return probability;
}
