import { decodeCanonical, encodeCanonical, type Parcel, toHex } from '@starling/core';
import { sha256 } from '@starling/crypto';
import {
  BLOB_HEADER_BYTES_MAX,
  BLOBS_PROTOCOL,
  blobRequest,
  blobResponse,
} from '@starling/protocol-blobs';
import { OPEN_PROTOCOL } from '@starling/protocol-secagg';
import { type Adversary, answers, flipped, lying } from './wire.ts';

/** Other bytes of the same length under the same header. */
const spoilt = ({ header, body }: Parcel): Parcel => ({ header, body: flipped(body) });

/** Commits to the right sums and serves other bytes, like all other blobs it has. */
export const servesOtherBytes: Adversary = ({ transport, onDeed }) =>
  answers(transport, BLOBS_PROTOCOL, (answer) => {
    if (answer.body.length > 0) onDeed();
    return spoilt(answer);
  });

/** Opens other chunks for audits than it was sent. */
export const opensOtherChunks: Adversary = ({ transport, onDeed }) =>
  answers(transport, OPEN_PROTOCOL, (answer) => {
    onDeed();
    return spoilt(answer);
  });

/** Commits to sums with one bit wrong, and serves them. */
const wrongSum =
  (bit: number): Adversary =>
  (wire) => {
    const { transport } = wire;
    /** Hash → sum that is nobody's. */
    const forged = new Map<string, Uint8Array>();
    let own: ((parcel: Parcel) => Promise<Parcel>) | undefined;
    const serving: typeof transport = {
      ...transport,
      handle: (protocol, answer) => {
        if (protocol !== BLOBS_PROTOCOL) return transport.handle(protocol, answer);
        own = (parcel) => answer(parcel, transport.self);
        return transport.handle(protocol, async (parcel, from) => {
          const request = decodeCanonical(blobRequest, parcel.header, BLOB_HEADER_BYTES_MAX);
          const body = forged.get(toHex(request.hash));
          if (body === undefined || request.kind === 'piece') return answer(parcel, from);
          const header = encodeCanonical(blobResponse, { kind: 'whole', size: body.length });
          return { header, body };
        });
      },
    };
    const forge = async <S extends { readonly hash: Uint8Array }>(sum: S): Promise<S> => {
      // A sum of a simulated swarm fits into one piece, so the answer is it whole.
      const header = encodeCanonical(blobRequest, { kind: 'blob', hash: sum.hash });
      const { body } = await own!({ header, body: new Uint8Array(0) });
      const wrong = flipped(body, bit);
      const hash = sha256(wrong);
      forged.set(toHex(hash), wrong);
      return { ...sum, hash };
    };
    const liar = lying('sums', async (message) => ({
      ...message,
      sums: await Promise.all(message.sums.map(forge)),
    }));
    return liar({ ...wire, transport: serving });
  };

export const wrongSumByOne: Adversary = wrongSum(0);
/** Half of the ring: the offset that wraps around most easily. */
export const wrongSumByHalfRing: Adversary = wrongSum(23);
