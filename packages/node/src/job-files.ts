import {
  type BlobHash,
  errorMessage,
  fromHex,
  type JobId,
  type PeerId,
  ProtocolError,
} from '@starling/core';
import type { Job } from '@starling/protocol-rounds';
import type { BlobExchange } from './blobs/exchange.ts';
import type { NodeParts } from './parts.ts';

/** For a MiB of a model: even a slow uplink that many share sends it in this time. */
const PIECE_TIMEOUT_MS = 60_000;
const PROVIDERS_TIMEOUT_MS = 2_000;

/** Models and states of jobs, from our disk or from others. */
export class JobFiles {
  readonly #parts: NodeParts;
  readonly #blobs: BlobExchange;

  constructor(parts: NodeParts, blobs: BlobExchange) {
    this.#parts = parts;
    this.#blobs = blobs;
  }

  /**
   * Has the store hold the launched model.
   * @returns who sent how many bytes of it
   */
  async obtainModel(job: Job, from?: PeerId): Promise<readonly (readonly [PeerId, number])[]> {
    const { transport, blobs } = this.#parts;
    const { model } = job.manifest;
    if (await blobs.has(model)) return [];
    const holders = new Set([...(from ? [from] : []), job.launcher, ...transport.peers()]);
    for (const peer of await this.#providers(job.id)) holders.add(peer);
    const peers = [...holders].filter((peer) => peer !== transport.self);
    const sent: [PeerId, number][] = [];
    const onReceived = (peer: PeerId, bytes: number) => void sent.push([peer, bytes]);
    await this.#blobs.obtain(model, peers, { timeoutMs: PIECE_TIMEOUT_MS, onReceived });
    return sent;
  }

  /** The model; one that had to make room on the disk is fetched again. */
  async model(job: Job): Promise<Uint8Array> {
    const { blobs } = this.#parts;
    const held = await blobs.get(job.manifest.model);
    if (held !== undefined) return held;
    await this.obtainModel(job);
    const fetched = await blobs.get(job.manifest.model);
    if (fetched !== undefined) return fetched;
    throw new ProtocolError('model-missing', 'the model is not held');
  }

  /** A certified state. @param round after which it is, for messages */
  async state(hash: BlobHash, job: JobId, round: number): Promise<Uint8Array> {
    const { blobs, transport } = this.#parts;
    const held = await blobs.get(hash);
    if (held !== undefined) return held;
    const peers = new Set([...transport.peers(), ...(await this.#providers(job))]);
    try {
      return await this.#blobs.fetch(hash, [...peers], { timeoutMs: PIECE_TIMEOUT_MS });
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      const what = `nobody reachable has the model after round ${round}`;
      throw new ProtocolError('not-ready', `${what}: peers let old rounds go for newer ones`);
    }
  }

  /** Tells the DHT that this node has the job; jobs spread by gossip too, so it may fail. */
  announce(job: JobId): void {
    this.#parts.transport.provide(fromHex(job)).catch((error: unknown) => {
      this.#parts.log.debug('job is not announced in the DHT', { error: errorMessage(error) });
    });
  }

  /** Peers that announced the job in the DHT; nobody when the DHT does not answer. */
  async #providers(job: JobId): Promise<readonly PeerId[]> {
    try {
      const options = { timeoutMs: PROVIDERS_TIMEOUT_MS };
      return await this.#parts.transport.findProviders(fromHex(job), options);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return [];
    }
  }
}
