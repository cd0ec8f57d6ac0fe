import type { BlobHash } from '@starling/core';
import type { PreparedJob } from '@starling/rounds';

/** Validation examples that decide; more would only make the round longer. */
const EXAMPLES_MAX = 10_000;

interface Look {
  readonly before: BlobHash;
  readonly after: BlobHash;
  readonly worseMax: number;
}

/**
 * A peer's own look at a new model before it signs the certificate: poisoning within the clipping
 * norm shows in no sum, but it may show on data that the attacker does not know.
 * @param look the two states, and the largest loss that is signed, over the loss before
 * @returns why this peer does not sign; undefined when it does, or has nothing to judge by
 */
export async function holdOutFault(
  prepared: PreparedJob,
  { before, after, worseMax }: Look,
  modelOf: (state: BlobHash) => Promise<Float32Array>,
): Promise<string | undefined> {
  const old = await prepared.evaluate(await modelOf(before), EXAMPLES_MAX);
  if (old.examples === 0) return undefined;
  const now = await prepared.evaluate(await modelOf(after), EXAMPLES_MAX);
  const [was, is] = [old.lossSum / old.examples, now.lossSum / now.examples];
  if (is <= worseMax * was) return undefined;
  const losses = `from ${was.toPrecision(3)} to ${is.toPrecision(3)}`;
  return `the loss on own validation examples went ${losses}, more than ${worseMax} times as much`;
}
