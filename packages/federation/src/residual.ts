import type { JobCodec } from './job-codec.ts';

/**
 * Error feedback (Seide et al. 2014; Karimireddy et al. 2019, algorithm 2): what an update had and
 * its words do not say, to be added to the peer's next update. What clipping takes is in it, too:
 * with updates that are always too long it would grow for ever, so its norm is bounded: by the
 * clipping norm, or by as many of these as rounds pass until a weight is drawn.
 * @param update before it was clipped and weighted, with the residual that went into it
 * @param sent what the words say, weighted; written over
 * @param weight that `sent` has; with 0 nothing was sent
 */
export function residualOf(
  update: Float32Array,
  sent: Float32Array,
  weight: number,
  codec: Pick<JobCodec, 'clippingNorm' | 'sparsity'>,
): Float32Array {
  const share = weight === 0 ? 0 : 1 / weight;
  let squares = 0;
  for (let i = 0; i < sent.length; i++) {
    const left = update[i]! - share * sent[i]!;
    sent[i] = left;
    squares += left * left;
  }
  const norm = Math.sqrt(squares);
  const most = codec.clippingNorm / (codec.sparsity ?? 1);
  if (norm > most) for (let i = 0; i < sent.length; i++) sent[i] = (sent[i]! * most) / norm;
  return sent;
}
