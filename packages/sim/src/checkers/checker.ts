import type { PeerId, RoundId } from '@starling/core';
import type { Envelope } from '@starling/protocol-rounds';
import type { SecaggMessage } from '@starling/protocol-secagg';
import type { Notice, Slot } from '@starling/rounds';

/** What checkers see: everything that is sent, and what honest peers take in and report. */
export type Observation =
  | {
      readonly kind: 'sent';
      readonly by: PeerId;
      readonly honest: boolean;
      readonly envelope: Envelope;
      /** Decoded, when it is a message of the secure aggregation. */
      readonly message: SecaggMessage | undefined;
    }
  | { readonly kind: 'notice'; readonly by: PeerId; readonly notice: Notice }
  | {
      readonly kind: 'input' | 'sum';
      readonly by: PeerId;
      readonly round: number;
      readonly slot: Slot;
      readonly words: Uint32Array;
    };

/** One invariant, checked while a run goes on. A violation is a sentence that names the peers. */
export interface Checker {
  readonly name: string;
  observe(observation: Observation): string | undefined;
}

export interface AttemptName {
  readonly roundId: RoundId;
  readonly attempt: number;
}
export const attemptName = ({ roundId, attempt }: AttemptName): string => `${roundId}/${attempt}`;
