import { type PeerId, ProtocolError } from '@starling/core';
import { type Job, readThanks } from '@starling/protocol-rounds';
import type { JobHost } from './job-host.ts';
import type { NodeParts } from './parts.ts';
import { askSync } from './sync-client.ts';

/** Peers that are asked; what they hold is nearly the same. */
const ASKED_MAX = 4;
const TIMEOUT_MS = 3_000;

/**
 * Thanks for the rounds of a job: those held here, and those that gossip did not bring.
 * @returns signed thanks, the earliest first
 */
export async function gatherThanks(
  parts: NodeParts,
  job: Job,
  host: JobHost,
): Promise<readonly Uint8Array[]> {
  const ask = async (peer: PeerId) => {
    let fromRound = 1;
    while (fromRound <= host.state.chain.length) {
      const request = { kind: 'thanks', job: job.id, fromRound } as const;
      const answer = await askSync(parts, peer, request, TIMEOUT_MS);
      if (answer.kind !== 'thanks' || answer.thanks.length === 0) return;
      const rounds = answer.thanks.map((bytes) => {
        const thanks = readThanks(bytes);
        if (thanks === undefined) throw new ProtocolError('signature', 'thanks of nobody');
        return host.thanks.take(thanks) ?? 0;
      });
      const last = Math.max(...rounds);
      // What is about no round of this chain moves nothing on: nobody is asked for ever.
      if (last < fromRound) return;
      fromRound = last + 1;
    }
  };
  const peers = parts.transport.peers().slice(0, ASKED_MAX);
  await Promise.allSettled(peers.map(ask));
  return host.thanks.all();
}
