import type { Generator } from '@starling/autodiff';
import { permutation } from '@starling/autodiff';
import { ConfigError, unreachable } from '@starling/core';
import { dirichletPartition } from '@starling/trainer';
import type { Partition } from '../schema.ts';
import { byId } from './by-id.ts';
import { quantityPartition } from './quantity.ts';
import { shardPartition } from './shards.ts';

export interface PartitionInput {
  readonly kind: Partition;
  readonly clients: number;
  /** Class of each example; of a set without classes all are 0. */
  readonly labels: ArrayLike<number>;
  /** Natural id of each example, where the set has them. */
  readonly ids: readonly string[] | undefined;
  readonly generator: Generator;
}

/**
 * The examples of each client, as indices; no example is given twice.
 * @returns as many lists as there are clients
 * @throws ConfigError `partition` where the set has too few examples, or no ids
 */
export function partition(input: PartitionInput): readonly Int32Array[] {
  const { kind, clients, labels, ids, generator } = input;
  if (labels.length < 2 * clients) {
    const what = `${labels.length} examples for ${clients} clients`;
    throw new ConfigError('clients', what, 'Choose fewer clients or more examples');
  }
  switch (kind.kind) {
    // What differs in `feature` is how examples look, not who has which.
    case 'iid':
    case 'feature':
      return dealt(permutation(labels.length, generator), clients);
    case 'shards':
      return shardPartition({ labels, clients, generator, perClient: kind.classesPerClient });
    case 'dirichlet': {
      const { alpha, minimum } = kind;
      checkMinimum(labels.length, clients, minimum);
      return dirichletPartition({ labels, peers: clients, alpha, minimum, generator });
    }
    case 'quantity': {
      const { alpha, minimum } = kind;
      checkMinimum(labels.length, clients, minimum);
      return quantityPartition({ count: labels.length, clients, alpha, minimum, generator });
    }
    case 'by-id':
      return byId({ ids, clients, minimum: kind.minimum, generator });
    default:
      return unreachable(kind);
  }
}

function checkMinimum(examples: number, clients: number, minimum: number): void {
  if (examples >= clients * minimum) return;
  const what = `${minimum} examples for each of ${clients} clients, of ${examples} in all`;
  throw new ConfigError('partition.minimum', what, 'Lower it, or choose fewer clients');
}

/** A list cut into parts of nearly the same length. */
export const dealt = (order: Int32Array, parts: number): readonly Int32Array[] =>
  Array.from({ length: parts }, (_, i) => {
    const edge = (part: number) => Math.floor((part * order.length) / parts);
    return order.slice(edge(i), edge(i + 1));
  });
