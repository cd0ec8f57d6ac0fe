import type { ExampleSet } from '@starling/trainer';
import { generatorFor, normal } from '../random.ts';
import type { Partition } from '../schema.ts';

type Features = Extract<Partition, { kind: 'feature' }>;

/**
 * Images of each client as its own camera has them: noise that grows from client to client (Li et
 * al. 2022, NIID-Bench, §4.2), and a brightness of its own. What the others have stays.
 * @returns a copy of the set
 */
export function withFeatures(
  { info, examples }: ExampleSet,
  shares: readonly Int32Array[],
  { noise, brightness }: Features,
  seed: number,
): ExampleSet {
  const inputs = examples.inputs.slice();
  const width = inputs.length / examples.count;
  const { elements } = info;
  const unit = elements.dtype === 'uint8' ? 1 / elements.scale : 1;
  for (const [client, indices] of shares.entries()) {
    const generator = generatorFor('features', seed, client);
    const gain = 1 + brightness * (2 * generator.uniform() - 1);
    const deviation = (noise * unit * (client + 1)) / shares.length;
    for (const index of indices) {
      for (let at = index * width; at < (index + 1) * width; at++) {
        const noisy = gain * inputs[at]! + (deviation > 0 ? deviation * normal(generator) : 0);
        const bounded = elements.dtype === 'uint8' ? Math.min(255, Math.max(0, noisy)) : noisy;
        inputs[at] = elements.dtype === 'uint8' ? Math.round(bounded) : bounded;
      }
    }
  }
  return { info, examples: { ...examples, inputs } };
}
