import { errorMessage, type PeerId } from '@starling/core';
import type { NodeParts } from './parts.ts';
import { askSync } from './sync-client.ts';

/** For a whole model over a slow link. */
const HOLD_TIMEOUT_MS = 120_000;

/**
 * Asks connected peers to hold a job, manifest and model, durably (design decision 14c).
 * @param wanted how many, or all if there are fewer
 * @returns how many do
 */
export async function handOut(
  parts: NodeParts,
  manifest: Uint8Array,
  wanted: number,
): Promise<number> {
  const waiting = [...parts.transport.peers()];
  const enough = Math.min(wanted, waiting.length);
  let copies = 0;
  const ask = async (peer: PeerId) => {
    try {
      const answer = await askSync(parts, peer, { kind: 'hold', manifest }, HOLD_TIMEOUT_MS);
      if (answer.kind === 'held') copies += 1;
    } catch (error) {
      parts.log.warn('a peer did not take the job', { peer, error: errorMessage(error) });
    }
  };
  while (copies < enough && waiting.length > 0) {
    await Promise.all(waiting.splice(0, Math.max(1, enough - copies)).map(ask));
  }
  return copies;
}
