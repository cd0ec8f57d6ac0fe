/** A stream of numbers that is a function of its seed, the same in every engine. */
export interface Generator {
  /** Uniform in [0, 1), 32 bits. */
  uniform(): number;
  /** Uniform integer in [0, bound). */
  below(bound: number): number;
}

/**
 * SplitMix in 32 bits (Steele, Lea, Flood 2014, with the murmur3 finaliser), keyed by both halves
 * of the seed. For initial weights and the order of examples; never for secrets.
 */
export function createGenerator(seed: number): Generator {
  const high = Math.floor(seed / 2 ** 32) | 0;
  let state = mix(mix(seed | 0) ^ high);
  const uniform = () => {
    state = (state + 0x9e3779b9) | 0;
    return (mix(state) >>> 0) / 2 ** 32;
  };
  return { uniform, below: (bound) => Math.floor(uniform() * bound) };
}

function mix(value: number): number {
  let z = value;
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  return z ^ (z >>> 16);
}

/** The numbers 0 … count−1 in a random order (Fisher and Yates). */
export function permutation(count: number, generator: Generator): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const other = generator.below(i + 1);
    const held = order[i]!;
    order[i] = order[other]!;
    order[other] = held;
  }
  return order;
}
