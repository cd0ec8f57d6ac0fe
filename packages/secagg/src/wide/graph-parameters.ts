import { assert } from '@starling/core';
import { countOf, upperQuantile } from './exact.ts';

/**
 * Degree and share threshold for one aggregation over many peers on a random Harary graph, where
 * everyone masks with, and deals shares to, its neighbours only: Bell, Bonawitz, Gascón, Lepoint
 * and Raykova, "Secure Single-Server Aggregation with (Poly)Logarithmic Overhead" (CCS 2020), with
 * exact probabilities in place of the paper's bounds, as in the production system of its authors.
 */
export interface GraphRequest {
  readonly peers: number;
  /** Part of the peers that may collude. */
  readonly corruptFraction: number;
  /** Part of the peers that may be lost after shares were dealt. */
  readonly dropoutFraction: number;
  /**
   * `lies-about-dropouts`: may tell some neighbours of a peer that it survived and others that it
   * did not. Where one certificate binds everybody it cannot, but the answer to that rests on
   * nothing else.
   */
  readonly adversary: 'semi-honest' | 'lies-about-dropouts';
  /** The graph betrays somebody with a probability below 2^−securityBits; 40 when absent. */
  readonly securityBits?: number;
  /** Somebody's masks are lost with a probability below 2^−correctnessBits; 20 when absent. */
  readonly correctnessBits?: number;
}

export interface GraphParameters {
  /** Neighbours of each peer: even, half of them on each side of the ring. */
  readonly degree: number;
  /** Shares among the neighbours that open a secret. */
  readonly threshold: number;
}

/** Keeps the exact arithmetic within a second; larger swarms go into cells. */
export const WIDE_PEERS_MAX = 2_000;

/** A threshold of 1 would make every share the secret itself. */
const THRESHOLD_MIN = 2;

/**
 * The smallest degree that is safe, and its smallest safe threshold; undefined when none is.
 * Every comparison is one of integers, so all engines answer alike.
 */
export function findGraphParameters(request: GraphRequest): GraphParameters | undefined {
  const { peers, securityBits = 40, correctnessBits = 20 } = request;
  assert(
    Number.isInteger(peers) && peers >= 3 && peers <= WIDE_PEERS_MAX,
    `a graph of ${peers} peers`,
  );
  const corrupt = countOf(peers, request.corruptFraction);
  const lost = countOf(peers, request.dropoutFraction);
  // Half of the security is for the graph's falling apart, half for some neighbourhood's colluding.
  const isolated = 1n << BigInt(securityBits);
  const colludingOdds = BigInt(peers) << BigInt(securityBits + 1);
  const losingOdds = BigInt(peers) << BigInt(correctnessBits);
  const gap = gapOdds(peers, corrupt + lost);
  for (let degree = 2; degree < peers; degree += 2) {
    if (!gap.isRarerThan(degree, isolated)) continue;
    const draw = { population: peers, drawn: degree };
    const colluding = upperQuantile({ ...draw, marked: corrupt }, colludingOdds);
    const silent = upperQuantile({ ...draw, marked: lost }, losingOdds);
    const threshold = Math.max(safeThreshold(request, degree, colluding), THRESHOLD_MIN);
    if (degree - silent >= threshold) return { degree, threshold };
  }
  return undefined;
}

/**
 * Shares that no `colluding` of `degree` neighbours hold, even if each of the others can be talked
 * into revealing one share of either kind: then 2·threshold > degree + colluding, as in a cell.
 */
function safeThreshold({ adversary }: GraphRequest, degree: number, colluding: number): number {
  if (adversary === 'semi-honest') return colluding + 1;
  return Math.floor((degree + colluding) / 2) + 1;
}

/**
 * The ring falls apart only where two gaps, each of degree/2 successive peers that are corrupt or
 * lost, cut it. There are peers·(peers − degree − 1)/2 places for such a pair, and one of them is
 * bad with probability bad·(bad − 1)⋯(bad − degree + 1) / peers·(peers − 1)⋯(peers − degree + 1).
 */
function gapOdds(peers: number, bad: number) {
  let [ways, all] = [1n, 1n];
  let factors = 0;
  return {
    /** Whether the union bound is below 1 / (2·odds). To be asked with growing degrees. */
    isRarerThan(degree: number, odds: bigint): boolean {
      for (; factors < degree; factors++) {
        ways *= BigInt(Math.max(bad - factors, 0));
        all *= BigInt(peers - factors);
      }
      return BigInt(peers) * BigInt(peers - degree - 1) * ways * odds < all;
    },
  };
}
