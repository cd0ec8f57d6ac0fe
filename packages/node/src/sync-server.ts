import {
  decodeCanonical,
  encodeCanonical,
  errorMessage,
  type JobId,
  LIMITS,
  type Parcel,
  type PeerId,
  type Random,
  utf8,
} from '@starling/core';
import {
  CHAIN_ANSWER_MAX,
  type Envelope,
  type SyncAnswer,
  type SyncRequest,
  syncAnswerCodec,
  syncRequestCodec,
} from '@starling/protocol-rounds';
import { type Have, missingFrom, roundOf, saidInCell, saidToAll } from '@starling/rounds';
import type { JobHost } from './job-host.ts';

export interface SyncServerParts {
  readonly host: (job: JobId) => JobHost | undefined;
  readonly random: Random;
  /** Signed manifests of the jobs this node knows. */
  readonly manifests: () => readonly Uint8Array[];
  /** Takes a job over for its launcher; resolves when manifest and model are durable here. */
  readonly hold: (manifest: Uint8Array, from: PeerId) => Promise<void>;
}

const NOTHING = new Uint8Array(0);
const ENVELOPES_MAX = 512;
const ENVELOPES_BYTES_MAX = 4 * 1024 * 1024;

/** Answers the sync protocol from what the engine already knows; it changes nothing. */
export async function answerSync(
  { header }: Parcel,
  from: PeerId,
  parts: SyncServerParts,
): Promise<Parcel> {
  const request = decodeCanonical(syncRequestCodec, header, LIMITS.controlBytesMax);
  const answer = await answerOf(request, from, parts);
  return { header: NOTHING, body: encodeCanonical(syncAnswerCodec, answer) };
}

async function answerOf(
  request: SyncRequest,
  from: PeerId,
  parts: SyncServerParts,
): Promise<SyncAnswer> {
  switch (request.kind) {
    case 'jobs':
      return { kind: 'jobs', manifests: parts.manifests().slice(0, 256) };
    case 'hold':
      try {
        await parts.hold(request.manifest, from);
        return { kind: 'held' };
      } catch (error) {
        return refused(errorMessage(error));
      }
    case 'chain': {
      const host = parts.host(request.job);
      if (host === undefined) return refused('unknown job');
      return chainFrom(host, request.fromRound);
    }
    case 'envelopes': {
      const host = parts.host(request.job);
      if (host === undefined) return refused('unknown job');
      const { cancelled } = host.state;
      if (cancelled !== undefined) return { kind: 'cancelled', signature: cancelled };
      if (request.round < roundOf(host.state)) return chainFrom(host, request.round);
      if (request.round > roundOf(host.state)) return { kind: 'envelopes', envelopes: [] };
      return { kind: 'envelopes', envelopes: lacking(said(host, from, request), request, parts) };
    }
    case 'thanks': {
      const host = parts.host(request.job);
      if (host === undefined) return refused('unknown job');
      return { kind: 'thanks', thanks: await host.thanks.from(request.fromRound) };
    }
    default:
      return refused('unknown request');
  }
}

const chainFrom = (host: JobHost, fromRound: number): SyncAnswer => ({
  kind: 'chain',
  certificates: host.certificates(fromRound).slice(0, CHAIN_ANSWER_MAX),
});

/** What may be told to `from`: of a cell only its members hear. */
function said(
  { state }: JobHost,
  from: PeerId,
  { cell }: Extract<SyncRequest, { kind: 'envelopes' }>,
): readonly Envelope[] {
  if (cell === null) return saidToAll(state);
  const { phase } = state;
  const members = 'session' in phase ? phase.session.config.members : [];
  return members.some(({ peer }) => peer === from) ? saidInCell(state, cell) : [];
}

function lacking(
  held: readonly Envelope[],
  have: Have,
  parts: SyncServerParts,
): readonly Uint8Array[] {
  const envelopes: Uint8Array[] = [];
  let size = 0;
  const missing = missingFrom(held, have);
  // From a random place on: junk that somebody else planted must not hide what is wanted for ever.
  const start = Math.floor((parts.random.bytes(1)[0]! / 256) * missing.length);
  for (const { bytes } of [...missing.slice(start), ...missing.slice(0, start)]) {
    size += bytes.length;
    if (envelopes.length >= ENVELOPES_MAX || size > ENVELOPES_BYTES_MAX) break;
    envelopes.push(bytes);
  }
  return envelopes;
}

const refused = (reason: string): SyncAnswer => ({
  kind: 'refused',
  reason: utf8(reason.slice(0, 60)),
});
