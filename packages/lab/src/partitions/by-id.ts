import { type Generator, permutation } from '@starling/autodiff';
import { ConfigError, compareText } from '@starling/core';

export interface ByIdOptions {
  readonly ids: readonly string[] | undefined;
  readonly clients: number;
  /** Ids with fewer examples are nobody's. */
  readonly minimum: number;
  readonly generator: Generator;
}

/**
 * Each client is one natural id: a person, a device, a role in a play, as in LEAF (Caldas et al.
 * 2018). Of more ids than clients, `clients` are drawn.
 */
export function byId({ ids, clients, minimum, generator }: ByIdOptions): readonly Int32Array[] {
  if (ids === undefined) {
    const hint = 'Name the column with data.id, or choose another partition';
    throw new ConfigError('partition', 'the data set has no ids', hint);
  }
  const groups = new Map<string, number[]>();
  for (const [index, id] of ids.entries()) {
    const group = groups.get(id);
    if (group === undefined) groups.set(id, [index]);
    else group.push(index);
  }
  const names = [...groups.keys()].filter((id) => groups.get(id)!.length >= minimum);
  names.sort(compareText);
  if (names.length < clients) {
    const what = `${names.length} ids with at least ${minimum} examples for ${clients} clients`;
    throw new ConfigError('clients', what, 'Choose fewer clients, or lower partition.minimum');
  }
  const drawn = permutation(names.length, generator).subarray(0, clients);
  return Array.from(drawn, (place) => Int32Array.from(groups.get(names[place]!)!));
}
