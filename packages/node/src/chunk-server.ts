import {
  decodeCanonical,
  LIMITS,
  type Parcel,
  type PeerId,
  ProtocolError,
  toHex,
} from '@starling/core';
import { chunkHeaderCodec, openRequestCodec } from '@starling/protocol-secagg';
import type { JobHost } from './job-host.ts';

const NOTHING = new Uint8Array(0);

/**
 * A masked chunk for this owner, taken in by the job whose attempt it is of.
 * @throws ProtocolError 'not-yet' while this peer is not in the attempt, so that it is sent again
 */
export function takeChunk(
  hosts: Iterable<JobHost>,
  { header, body }: Parcel,
  from: PeerId,
): Parcel {
  const chunk = decodeCanonical(chunkHeaderCodec, header, LIMITS.controlBytesMax);
  const roundId = toHex(chunk.roundId);
  for (const host of hosts) {
    const running = host.running(roundId, chunk.attempt);
    if (running === undefined) continue;
    const member = running.config.members.findIndex(({ peer }) => peer === from);
    if (member === -1) throw new ProtocolError('not-a-member', 'not in the roster');
    if (body.length > running.config.shape.chunkBytes) throw new ProtocolError('size', 'too long');
    host.session.receiveChunk(running, member, chunk, body);
    return { header: NOTHING, body: NOTHING };
  }
  throw new ProtocolError('not-yet', 'not in that attempt');
}

/**
 * A chunk that this owner was sent, opened for another member that audits it.
 * @throws ProtocolError when this peer is not in the attempt, or the other is not
 */
export function openChunk(hosts: Iterable<JobHost>, { header }: Parcel, from: PeerId): Parcel {
  const request = decodeCanonical(openRequestCodec, header, LIMITS.controlBytesMax);
  const roundId = toHex(request.roundId);
  for (const host of hosts) {
    const running = host.lastSession(roundId, request.attempt);
    if (running === undefined) continue;
    if (!running.config.members.some(({ peer }) => peer === from))
      throw new ProtocolError('not-a-member', 'not in the roster');
    return host.session.openChunk(running, request.chunk, request.of);
  }
  throw new ProtocolError('not-yet', 'not in that attempt');
}
