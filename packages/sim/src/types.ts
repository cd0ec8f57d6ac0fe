import type { Manifest } from '@starling/protocol-rounds';
import type { EngineCanary, Notice, Trainer } from '@starling/rounds';
import type { ProtectionName, UnmaskingName } from '@starling/secagg';
import type { Behaviour } from './adversaries/index.ts';
import type { CoverageTable } from './coverage.ts';
import type { FaultMix } from './faults.ts';
import type { JournalWrite } from './journal-watch.ts';
import type { CountedCpu } from './unit-costs.ts';

/** A real job in place of the simulator's own. */
export interface SimJob {
  readonly manifest: Manifest;
  readonly model: Uint8Array;
  /** The trainer of a peer; virtual time stands still while it works. */
  readonly trainer: (peer: number) => Trainer;
  /**
   * Told of each round's certified state, once. Virtual time stands still until it has answered;
   * `stop` ends the run there.
   */
  readonly onState: (result: SimState) => Promise<'stop' | undefined>;
}

export interface SimState {
  readonly round: number;
  /** As `encodeState` has it. */
  readonly state: Uint8Array;
  readonly survivors: number;
  /** Mean of what the peers have sent since the run began. */
  readonly bytesPerPeer: number;
}

/** Settings of a job's aggregation that make its updates smaller. */
export type SmallerUpdates = Pick<
  Manifest['aggregation'],
  'ringBits' | 'rotation' | 'errorFeedback' | 'sparsity'
>;

export interface SimOptions {
  readonly peers: number;
  /** Weights of the model that a run without `job` draws. */
  readonly dim: number;
  readonly rounds: number;
  /** What is run; nothing but random updates when absent. */
  readonly job?: SimJob;
  /** Sees every peer's ring words before they are masked. */
  readonly onInput?: (peer: number, round: number, words: Uint32Array) => void;
  /**
   * Probability that a peer dies in a round, at a uniformly drawn phase boundary after its JOIN.
   */
  readonly dropout: number;
  /** Part of the peers that are dishonest. */
  readonly byzantine: number;
  /** Who is dishonest, and how; drawn from the seed when absent. */
  readonly adversaries?: ReadonlyMap<number, Behaviour>;
  /** Owners of each chunk; as many as the roster's size asks for when absent. */
  readonly replication?: number;
  /** Peers of one cell, about; 64 when absent. */
  readonly cellSize?: number;
  /** One large graph in place of cells. */
  readonly graph?: Manifest['aggregation']['graph'];
  readonly unmasking?: UnmaskingName;
  /** How updates are made smaller; not at all when absent. */
  readonly smaller?: Partial<SmallerUpdates>;
  /** Differential privacy with this much noise; none when absent. */
  readonly noiseMultiplier?: number;
  readonly seed: number;
  /** Drawn from the seed when absent. */
  readonly faults?: FaultMix;
  readonly protection?: ProtectionName;
  readonly canary?: EngineCanary;
  /** Virtual time after which an unfinished run is given up. */
  readonly timeLimitMs?: number;
  readonly onProgress?: (line: string) => void;
  readonly onNotice?: (peer: number, notice: Notice, atMs: number) => void;
  /** Sees every journal write; `kill` ends the writer there, and it restarts with its disk. */
  readonly onJournalWrite?: (write: JournalWrite) => 'kill' | undefined;
}

export interface SimRound {
  readonly sumExact: boolean;
  readonly survivors: number;
  readonly attempts: number;
  readonly decision: 'survivors';
}

export interface SimReport {
  readonly seed: number;
  readonly roundsFinished: number;
  readonly rounds: readonly SimRound[];
  readonly aborts: Readonly<Record<string, number>>;
  /** Phase → fault → how often it befell a peer there. */
  readonly coverage: CoverageTable;
  readonly faultsInjected: Readonly<Record<string, number>>;
  readonly adversaries: readonly Behaviour[];
  /** Lies that they told. */
  readonly misdeeds: number;
  /** Reason → how often an honest peer gave it. */
  readonly convictions: Readonly<Record<string, number>>;
  /** Peers that an honest peer convicted. */
  readonly convicted: readonly number[];
  /** Peers that an honest peer left out of its rosters; an honest one among them is a violation. */
  readonly banned: readonly number[];
  /** By peer: updates that its privacy ledger holds as given away; 0 for one that is dead. */
  readonly updatesCharged: readonly number[];
  readonly violations: readonly string[];
  readonly traceHash: string;
  readonly signaturesVerified: number;
  readonly bytesPerPeer: { readonly mean: number; readonly max: number };
  /**
   * Measured for all peers together and divided among them, and what a peer alone would have done
   * again: counted operations times their cost, measured in the same run.
   */
  readonly cpuSecondsPerPeer: { readonly mean: number; readonly max: number };
  readonly cpuCounted: CountedCpu;
  readonly virtualSeconds: number;
  readonly wallSeconds: number;
  readonly peakMemoryBytes: number;
}
