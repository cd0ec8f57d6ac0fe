import type { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';

/** Σ y·weight over a model's float outputs, as a function of what is fed. */
export interface Objective {
  readonly session: InferenceSession;
  readonly feeds: Readonly<Record<string, RuntimeTensor>>;
  /** Weight of each element of an output, by its name; other outputs do not count. */
  readonly weights: ReadonlyMap<string, readonly number[]>;
}

export async function weightedSum({ session, feeds, weights }: Objective): Promise<number> {
  const results = await session.run(feeds);
  let sum = 0;
  for (const [name, list] of weights) {
    const y = floatsOf(results[name]!);
    for (const [i, weight] of list.entries()) sum += weight * y[i]!;
  }
  return sum;
}

export function floatsOf({ data }: RuntimeTensor): Float32Array | Float64Array {
  if (data instanceof Float32Array || data instanceof Float64Array) return data;
  throw new Error('the value is not of a float type');
}

export interface Slope {
  /** Of fourth order; not finite where the function is not. */
  readonly slope: number;
  /**
   * How much the slopes on both sides and those of two steps differ: small where the function is
   * smooth, and of the slope's size where a kink or a jump lies within two steps.
   */
  readonly roughness: number;
}

/** The slope along `direction` of the fed value `name`: one element, or all by their signs. */
export async function slopeAlong(
  objective: Objective,
  name: string,
  direction: ReadonlyMap<number, number>,
  step: number,
): Promise<Slope> {
  const data = floatsOf(objective.feeds[name]!);
  const held = Array.from(direction, ([i]) => [i, data[i]!] as const);
  const at = async (offset: number) => {
    for (const [i, value] of held) data[i] = value + offset * direction.get(i)!;
    return weightedSum(objective);
  };
  const [before2, before, here, after, after2] = [
    await at(-2 * step),
    await at(-step),
    await at(0),
    await at(step),
    await at(2 * step),
  ];
  for (const [i, value] of held) data[i] = value;
  const [near, far] = [after - before, after2 - before2];
  return {
    slope: (8 * near - far) / (12 * step),
    roughness: Math.max(
      Math.abs(after - 2 * here + before) / step,
      Math.abs(2 * near - far) / (4 * step),
    ),
  };
}
