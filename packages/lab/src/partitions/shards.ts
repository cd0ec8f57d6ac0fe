import { type Generator, permutation } from '@starling/autodiff';

export interface ShardOptions {
  readonly labels: ArrayLike<number>;
  readonly clients: number;
  /** Shards of each client, and so classes at most, but for shards that hold an edge. */
  readonly perClient: number;
  readonly generator: Generator;
}

/**
 * The pathological split of McMahan et al. 2017, §3: examples in order of their class are cut into
 * `perClient` shards for each client, which are dealt at random.
 */
export function shardPartition(options: ShardOptions): readonly Int32Array[] {
  const { labels, clients, perClient, generator } = options;
  // Shuffled first: examples of one class are in no order of their own.
  const order = [...permutation(labels.length, generator)];
  order.sort((a, b) => labels[a]! - labels[b]!);
  const count = clients * perClient;
  const edge = (shard: number) => Math.floor((shard * order.length) / count);
  const dealt = permutation(count, generator);
  return Array.from({ length: clients }, (_, client) => {
    const shards = dealt.subarray(client * perClient, (client + 1) * perClient);
    return Int32Array.from([...shards].flatMap((s) => order.slice(edge(s), edge(s + 1))));
  });
}
