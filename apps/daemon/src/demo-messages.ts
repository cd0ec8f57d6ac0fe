import type { JobId, PeerId } from '@starling/core';
import type { Notice, Slot } from '@starling/rounds';
import type { ConfigInput } from './config.ts';

/** Phases in which the demo kills a daemon. */
export const KILL_PHASES = ['shares', 'chunks', 'decide', 'unmask'] as const;
export type KillPhase = (typeof KILL_PHASES)[number];

/** When a demo daemon sends itself SIGKILL. */
export interface KillPlan {
  readonly round: number;
  readonly phase: KillPhase;
}

/** First message to a demo daemon. */
export interface DemoStart {
  readonly config: ConfigInput;
  readonly stateDirectory: string;
  readonly dataset: { readonly name: string; readonly path: string; readonly task: string };
  /** Whether it shows its inputs; a benchmark measures the daemon without that. */
  readonly observed: boolean;
  readonly kill?: KillPlan | undefined;
  /** Folder for masked chunks and plain inputs as they are, to look at; none unless told. */
  readonly capture?: string | undefined;
}

/** What a demo daemon tells the demo. */
export type DemoMessage =
  | {
      readonly kind: 'up';
      readonly peer: PeerId;
      readonly addresses: readonly string[];
      readonly socket: string;
    }
  | { readonly kind: 'failed'; readonly error: string }
  | { readonly kind: 'peers'; readonly count: number }
  | {
      readonly kind: 'notice';
      readonly job: JobId;
      readonly notice: Notice;
      readonly atMs: number;
      readonly bytesOut: number;
    }
  /** This peer's own input before masking: only a demo daemon can send it. */
  | {
      readonly kind: 'input';
      readonly round: number;
      readonly slot: Slot;
      readonly words: Uint32Array;
    }
  | {
      readonly kind: 'sum';
      readonly round: number;
      readonly slot: Slot;
      readonly hash: string;
    };
