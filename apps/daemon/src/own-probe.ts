import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Fault } from '@starling/swarm';
import { accessWarnings } from './access-warnings.ts';
import type { Config } from './config.ts';

/** What a daemon of a state directory would dial, for a doctor that finds none running. */
export interface OwnProbe {
  readonly network: string;
  readonly bootstrap: readonly string[];
  /** What its owner should know about who may enter. */
  readonly warnings: readonly string[];
  /** Dials an address as the daemon would: undefined when it leads into the swarm. */
  dial(address: string): Promise<Fault | undefined>;
}

/** Reads and writes nothing but the network: a daemon may start meanwhile. */
export async function openOwnProbe(config: Config, stateDirectory: string): Promise<OwnProbe> {
  const { decodeRecord } = await import('@starling/membership');
  const { networkOf, swarmIdOf } = await import('@starling/protocol-membership');
  const { probeAddress } = await import('@starling/swarm');
  const { systemClock, systemRandom } = await import('./ports.ts');
  const file = await bytesOf(join(stateDirectory, 'swarm'));
  const seed = await bytesOf(join(stateDirectory, 'identity'));
  const record = file && decodeRecord(file);
  const network = record ? networkOf(swarmIdOf(record.descriptor)) : config.network;
  const parts = {
    ...{ clock: systemClock, random: systemRandom, network, key: record?.key },
  };
  const member =
    record !== undefined && seed?.length === 32
      ? { seed, credential: record.credential }
      : undefined;
  return {
    network,
    bootstrap: [...new Set([...config.bootstrap, ...(record?.bootstrap ?? [])])],
    warnings: accessWarnings(record?.descriptor.access ?? 'named', config.policy),
    dial: async (address) => (await probeAddress(address, parts, member)).fault,
  };
}

const bytesOf = (path: string): Promise<Uint8Array | undefined> =>
  readFile(path).then(
    (found) => new Uint8Array(found),
    () => undefined,
  );
