import {
  decodeCanonical,
  encodeCanonical,
  errorMessage,
  type PeerId,
  ProtocolError,
} from '@starling/core';
import {
  type Job,
  SYNC_ANSWER_BYTES_MAX,
  SYNC_PROTOCOL,
  type SyncAnswer,
  type SyncRequest,
  syncAnswerCodec,
  syncRequestCodec,
} from '@starling/protocol-rounds';
import type { EngineEffect, EngineEvent } from '@starling/rounds';
import type { BlobExchange } from './blobs/exchange.ts';
import type { NodeParts } from './parts.ts';

type SyncEffect = Extract<EngineEffect, { kind: 'pull' | 'fetch-chain' | 'fetch-state' }>;

export interface SyncClientParts {
  readonly node: NodeParts;
  readonly job: Job;
  readonly blobs: BlobExchange;
  readonly enqueue: (event: EngineEvent) => void;
  readonly onReceived: (peer: PeerId, bytes: number) => void;
}

const SYNC_TIMEOUT_MS = 5_000;
const STATE_TIMEOUT_MS = 60_000;
const NOTHING = new Uint8Array(0);

/**
 * One request of the sync protocol. The answer travels in the body: it may be larger than a header.
 */
export async function askSync(
  { transport }: Pick<NodeParts, 'transport'>,
  to: PeerId,
  request: SyncRequest,
  timeoutMs: number = SYNC_TIMEOUT_MS,
): Promise<SyncAnswer> {
  const header = encodeCanonical(syncRequestCodec, request);
  const answer = await transport.request(
    to,
    SYNC_PROTOCOL,
    { header, body: NOTHING },
    { timeoutMs, bodyBytesMax: SYNC_ANSWER_BYTES_MAX },
  );
  return decodeCanonical(syncAnswerCodec, answer.body, SYNC_ANSWER_BYTES_MAX);
}

/** Asks other peers for what gossip did not bring, and feeds the answers to the engine. */
export class SyncClient {
  readonly #parts: SyncClientParts;
  constructor(parts: SyncClientParts) {
    this.#parts = parts;
  }

  async perform(effect: SyncEffect): Promise<void> {
    try {
      if (effect.kind === 'fetch-state') await this.#fetchState(effect);
      else await this.#ask(effect);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      // A peer that is gone or does not know the job is nothing to worry about: another turn comes.
      this.#parts.node.log.debug(`${effect.kind} failed`, { error: errorMessage(error) });
    }
  }

  async #ask(effect: Exclude<SyncEffect, { kind: 'fetch-state' }>): Promise<void> {
    const { node, job, enqueue } = this.#parts;
    const request: SyncRequest =
      effect.kind === 'pull'
        ? {
            kind: 'envelopes',
            job: job.id,
            round: effect.round,
            cell: effect.cell,
            salt: effect.salt,
            have: effect.have,
          }
        : { kind: 'chain', job: job.id, fromRound: effect.fromRound };
    const answer = await askSync(node, effect.to, request);
    if (answer.kind === 'chain') {
      enqueue({ kind: 'chain', from: effect.to, certificates: answer.certificates });
    }
    if (answer.kind === 'cancelled') {
      enqueue({ kind: 'cancel', signature: answer.signature });
    }
    if (answer.kind !== 'envelopes') return;
    const envelopes = answer.envelopes.flatMap((bytes) => node.wire.envelope(bytes) ?? []);
    if (envelopes.length > 0) enqueue({ kind: 'envelopes', envelopes });
  }

  async #fetchState({
    stateHash,
    from,
  }: Extract<SyncEffect, { kind: 'fetch-state' }>): Promise<void> {
    const { node, blobs, enqueue, onReceived } = this.#parts;
    try {
      if (!(await node.blobs.has(stateHash))) {
        await blobs.obtain(stateHash, from, { timeoutMs: STATE_TIMEOUT_MS, onReceived });
      }
      enqueue({ kind: 'state-fetched', stateHash });
    } catch (error) {
      enqueue({ kind: 'state-missing', stateHash });
      throw error;
    }
  }
}
