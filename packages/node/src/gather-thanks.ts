import { millis, type PeerId, ProtocolError } from '@starling/core';
import { type Certificate, type Job, readThanks } from '@starling/protocol-rounds';
import type { JobHost } from './job-host.ts';
import type { NodeParts } from './parts.ts';
import { askSync } from './sync-client.ts';

/** Peers that are asked; what they hold is nearly the same. */
const ASKED_MAX = 4;
const TIMEOUT_MS = 3_000;
/** For all that is asked: thanks are good to have, and whoever waits for a model waits for them. */
const DEADLINE_MS = millis(10_000);

/**
 * Thanks for the rounds of a job: those held here, and those that gossip did not bring, as far as
 * others tell them in time.
 * @param chain the rounds that they are for
 * @returns signed thanks, the earliest first; no more than fit into the chain's proof
 */
export async function gatherThanks(
  parts: NodeParts,
  job: Job,
  host: JobHost,
  chain?: readonly Certificate[],
): Promise<readonly Uint8Array[]> {
  const first = await host.thanks.firstLacking();
  let isLate = false;
  const ask = async (peer: PeerId) => {
    let fromRound = first;
    while (!isLate && fromRound <= host.state.chain.length) {
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
  await new Promise<void>((resolve) => {
    const cancel = parts.clock.setTimer(DEADLINE_MS, () => {
      isLate = true;
      resolve();
    });
    void Promise.allSettled(peers.map(ask)).then(() => {
      cancel();
      resolve();
    });
  });
  return host.thanks.all(chain);
}
