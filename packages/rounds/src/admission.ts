import type { PeerId } from '@starling/core';
import type { Aggregation, Job, Manifest } from '@starling/protocol-rounds';
import { survivorsMin } from '@starling/protocol-secagg';
import { ceilLog2 } from '@starling/secagg';
import { smallestCell, sumPeersMax } from './cells.ts';
import { codecOf } from './job-codec.ts';
import { privacyFault } from './privacy.ts';
import { scaffoldFault } from './scaffold-fault.ts';
import type { ExampleNoise } from './trainer.ts';
import { trainingFault } from './training-fault.ts';

/** What a volunteer lets in (design decisions 18 and 19). */
export interface Policy {
  /** Launchers whose jobs start without asking. */
  readonly trust: { readonly includes: (launcher: PeerId) => boolean };
  /** Fewest updates, its own among them, that may stand in a sum it takes part in. */
  readonly minPeers: number;
  /** Peers it trusts, and how many of them must be in a sum that holds its own update. */
  readonly company?: { readonly peers: readonly PeerId[]; readonly least: number };
  /** Largest loss of a model on own validation data, over the one before, that is signed. */
  readonly worseMax?: number;
  /** By data set: what its updates may give away in all, whatever the jobs. */
  readonly privacyBudgets?: ReadonlyMap<string, PrivacyBudget>;
  /** By data set: noise that hides single examples, whatever the job (decision 0028). */
  readonly exampleNoise?: ReadonlyMap<string, ExampleNoise>;
}

export interface PrivacyBudget {
  readonly epsilon: number;
  readonly delta: number;
}

/** Fewest peers whose sum hides anything: of two, each knows the other's. */
export const PEERS_MIN = 3;
/** Cells may shrink by a third before they are cut: what is left must still hide its inputs. */
const CELL_SIZE_MIN = 5;

/** Fewer bits need a rotation and few peers in a sum; more leave no room for sums. */
const RING_BITS_MIN = 16;
const NARROW_BITS_MIN = 8;
const RING_BITS_MAX = 30;
/** Most peers in a sum of a narrow ring. */
const NARROW_PEERS_MAX = 16;
/** Fewest bits of one peer's value. */
const VALUE_BITS_MIN = 5;
const NARROW_VALUE_BITS_MIN = 4;

/** Why no peer should take part in such a job, or undefined. Checked at launch and on arrival. */
export function manifestFault(manifest: Manifest): string | undefined {
  const { training, aggregation, admission, stop } = manifest;
  const { clippingNorm, phaseSeconds, cellSize } = aggregation;
  const { minPeers, maxPeers, joinWindowSeconds, participation } = admission;
  const codec = codecOf(manifest);
  const checks: readonly [ok: boolean, fault: string][] = [
    ...ringChecks(manifest),
    [
      aggregation.sparsity > 0 && aggregation.sparsity <= 1,
      'aggregation.sparsity must be above 0, at most 1',
    ],
    [isPositive(clippingNorm), 'aggregation.clippingNorm must be positive'],
    [isPositive(aggregation.bufferRange), 'aggregation.bufferRange must be positive'],
    [
      cellSize === 0 || cellSize >= CELL_SIZE_MIN,
      `aggregation.cellSize must be 0 or at least ${CELL_SIZE_MIN}`,
    ],
    [phaseSeconds >= 0.1 && phaseSeconds <= 3600, 'aggregation.phaseSeconds must be 0.1 to 3600'],
    [minPeers >= PEERS_MIN, `admission.minPeers must be at least ${PEERS_MIN}`],
    [maxPeers >= minPeers, 'admission.maxPeers must not be below minPeers'],
    [
      joinWindowSeconds >= 0.1 && joinWindowSeconds <= 86_400,
      'admission.joinWindowSeconds must be 0.1 to 86400',
    ],
    [participation > 0 && participation <= 1, 'admission.participation must be above 0, at most 1'],
    [stop.rounds >= 1, 'stop.rounds must be at least 1'],
    [
      stop.seconds === 0 || manifest.privacy.mechanism === 'none',
      'stop.seconds needs the rounds to be timed, and noise hides no time',
    ],
    [
      training.metrics.length === 0 || manifest.privacy.mechanism === 'none',
      'training.metrics would need noise of their own: leave them away',
    ],
    [
      stop.target === null || (Number.isFinite(stop.target.value) && stop.target.value >= 0),
      'stop.target.value must be a number of at least 0',
    ],
    ...optimizerChecks(aggregation),
    [(codec.weightCap ?? 1) >= 1, 'aggregation.weightCap must be at least 1'],
    [(codec.referenceSteps ?? 1) >= 1, 'aggregation.referenceSteps must be at least 1'],
  ];
  const fault = trainingFault(training) ?? checks.find(([ok]) => !ok)?.[1];
  return fault ?? scaffoldFault(manifest) ?? privacyFault(manifest);
}

function ringChecks(manifest: Manifest): readonly [ok: boolean, fault: string][] {
  const { ringBits, rotation } = manifest.aggregation;
  const peers = sumPeersMax(manifest);
  const addends = ceilLog2(peers);
  const isNarrow = ringBits < RING_BITS_MIN;
  const least = isNarrow ? NARROW_VALUE_BITS_MIN : VALUE_BITS_MIN;
  return [
    [
      ringBits >= NARROW_BITS_MIN && ringBits <= RING_BITS_MAX,
      `aggregation.ringBits must be ${NARROW_BITS_MIN} to ${RING_BITS_MAX}`,
    ],
    [
      !isNarrow || rotation !== 'none',
      `aggregation.ringBits below ${RING_BITS_MIN} needs aggregation.rotation hadamard`,
    ],
    [
      !isNarrow || peers <= NARROW_PEERS_MAX,
      `aggregation.ringBits below ${RING_BITS_MIN} ${narrowWay(peers)}`,
    ],
    [
      ringBits + addends <= 32 && ringBits - addends >= least,
      'aggregation.ringBits leaves no room for the sum of admission.maxPeers inputs',
    ],
  ];
}

const narrowWay = (peers: number): string =>
  `is for sums of at most ${NARROW_PEERS_MAX} peers, not ${peers}: lower admission.maxPeers to ` +
  `${NARROW_PEERS_MAX} or aggregation.cellSize to ${NARROW_PEERS_MAX / 2}`;

function optimizerChecks(aggregation: Aggregation): readonly [ok: boolean, fault: string][] {
  const { learningRate, momentum, beta1, beta2, tau, corruptCells } = aggregation;
  const isShare = (value: number) => value >= 0 && value < 1;
  return [
    [isPositive(learningRate), 'aggregation.learningRate must be positive'],
    [isShare(momentum), 'aggregation.momentum must be 0 to below 1'],
    [isShare(beta1), 'aggregation.beta1 must be 0 to below 1'],
    [isShare(beta2), 'aggregation.beta2 must be 0 to below 1'],
    [isPositive(tau), 'aggregation.tau must be positive'],
    [corruptCells >= 0 && corruptCells < 0.5, 'aggregation.corruptCells must be 0 to below 0.5'],
  ];
}

const isPositive = (value: number): boolean => Number.isFinite(value) && value > 0;

export type Consent =
  | { readonly verdict: 'start' }
  | { readonly verdict: 'ask'; readonly reason: string }
  | { readonly verdict: 'refuse'; readonly reason: string };

/** Whether a job may start on this peer without asking its owner. */
export function consentTo(job: Job, policy: Policy, self: PeerId): Consent {
  // A roster may be cut and lose members: what counts is how few inputs one sum may have.
  const least = survivorsMin(smallestCell(job.manifest));
  if (least < policy.minPeers) {
    const reason = `adds up as few as ${least} updates, your policy wants ${policy.minPeers}`;
    return { verdict: 'refuse', reason };
  }
  if (job.launcher === self || policy.trust.includes(job.launcher)) return { verdict: 'start' };
  return { verdict: 'ask', reason: `launched by ${job.launcher}, who is not in policy.trust` };
}
