import { assert, ProtocolError } from '@starling/core';
import { dequantiseSum, updateCodec } from './codec.ts';
import type { JobCodec } from './job-codec.ts';
import type { JobState } from './job-state.ts';

/**
 * SCAFFOLD (Karimireddy et al. 2020, algorithm 1, option II) from one vector a peer. With plain SGD
 * of rate η the new variate cᵢ⁺ = cᵢ − c − Δyᵢ/(K·η) follows from the update Δyᵢ of K steps, so the
 * mean of cᵢ⁺ − cᵢ follows from the mean of Δyᵢ/K, which the secure sum opens anyway. What a peer
 * sends is normalised to `localSteps` steps, as FedNova's updates are.
 */
export interface Scaffold {
  readonly kind: 'scaffold';
  /** The global one, η_g. */
  readonly learningRate: number;
  /** η of local SGD, the same in all steps of all rounds. */
  readonly localRate: number;
  /** Steps to which every update is normalised. */
  readonly localSteps: number;
  /** |S| / N: the part of all peers that trains in a round. */
  readonly participation: number;
}

/** Coordinates that are decoded at a time. */
const PIECE_WORDS = 32 * 1024;

/**
 * c of a state, [trainable].
 * @throws ProtocolError 'state' on a state of another algorithm
 */
export function globalVariate({ moments }: JobState): Float32Array {
  const [c] = moments;
  if (c !== undefined && moments.length === 1) return c;
  throw new ProtocolError('state', `${moments.length} moments in a state of scaffold`);
}

/**
 * c − cᵢ, [trainable], which every local step adds to its gradient.
 * @param own cᵢ; one that is not known, or of another length, counts as 0, as all do at first
 */
export function correctionOf(state: JobState, own: Float32Array | undefined): Float32Array {
  const c = globalVariate(state);
  if (own?.length !== c.length) return c.slice();
  return c.map((value, i) => value - own[i]!);
}

/**
 * cᵢ⁺ = −(c − cᵢ) − Δyᵢ/(K·η), [trainable], of the update as it is in the words that are sent:
 * normalised, clipped and rounded. So the mean of all cᵢ stays what the sum makes of c.
 * @param correction c − cᵢ with which the update was trained
 * @param words one peer's ring words, before they are masked; the weights come first
 */
export function nextOwnVariate(
  correction: Float32Array,
  words: Uint32Array,
  codec: JobCodec,
): Float32Array {
  const { optimizer } = codec;
  assert(optimizer.kind === 'scaffold', `a control variate with ${optimizer.kind}`);
  const grid = updateCodec(codec);
  const distance = optimizer.localSteps * optimizer.localRate;
  const next = new Float32Array(correction.length);
  for (let at = 0; at < next.length; at += PIECE_WORDS) {
    const end = Math.min(next.length, at + PIECE_WORDS);
    const sent = dequantiseSum(words.subarray(at, end), 1, grid);
    for (let i = at; i < end; i++) next[i] = -correction[i]! - sent[i - at]! / distance;
  }
  return next;
}
