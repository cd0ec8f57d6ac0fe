import type { BlobStore, Journal, Log, Transport } from '@starling/core';
import type { SigningKey } from '@starling/crypto';
import { type ModelExchange, ModelService } from '@starling/models';
import { ModelThread } from './model-thread.ts';
import type { OffersConfig } from './offers-config.ts';
import { type RunningOffers, startOffers } from './offers-start.ts';
import { systemClock } from './ports.ts';
import type { SwarmService } from './swarm-service.ts';

export interface ModelStart {
  readonly journal: Journal;
  readonly transport: Transport;
  readonly blobs: BlobStore;
  readonly exchange: ModelExchange;
  readonly key: SigningKey;
  readonly log: Log;
  readonly service: Pick<SwarmService, 'membership' | 'swarmId'>;
  readonly onFatal: (error: unknown) => void;
  /** The bundled model-worker.ts. */
  readonly worker: URL;
  readonly offers: OffersConfig;
  readonly undo: (() => Promise<void>)[];
}

/** What the API needs of published models. */
export interface RunningModels {
  readonly offers: RunningOffers;
  readonly service: ModelService;
  readonly thread: ModelThread;
}

/** Published models of the swarm that the daemon is in, whichever that is at the time. */
export async function startModels({
  service,
  undo,
  worker,
  offers: config,
  ...parts
}: ModelStart): Promise<RunningModels> {
  const thread = new ModelThread(worker);
  // Each needs the other once it is asked for something.
  let models: ModelService | undefined;
  const { journal, transport, key, log } = parts;
  const offers = await startOffers({
    ...{ config, journal, transport, key, log, undo, models: () => models! },
  });
  models = await ModelService.open({
    ...parts,
    ...{ clock: systemClock, swarm: () => service.swarmId },
    faultOf: (files) => thread.fault(files),
    refusal: (peer) => service.membership.refusal(peer),
    wallSeconds: () => Math.floor(Date.now() / 1000),
    unseal: (card, blob, holders) => offers.desk.open(card, blob, holders),
  });
  models.start();
  const running = models;
  undo.push(async () => running.stop());
  return { service: models, thread, offers };
}
