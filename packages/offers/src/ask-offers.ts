import {
  decodeCanonical,
  encodeCanonical,
  type PeerId,
  ProtocolError,
  type Transport,
} from '@starling/core';
import {
  MODELS_LIMITS,
  OFFERS_PROTOCOL,
  type OffersAnswer,
  type OffersRequest,
  offersAnswerCodec,
  offersRequestCodec,
} from '@starling/protocol-models';

const TIMEOUT_MS = 20_000;
const EMPTY = new Uint8Array(0);

/** Code of what the other understood, and does not do; what else fails may have been done. */
export const DECLINED = 'declined';

/** @throws ProtocolError, `declined` with the other's reason when it refuses */
export async function askOffers(
  transport: Transport,
  to: PeerId,
  request: OffersRequest,
): Promise<OffersAnswer> {
  const most = MODELS_LIMITS.offersMessageBytesMax;
  const body = encodeCanonical(offersRequestCodec, request);
  const options = { timeoutMs: TIMEOUT_MS, bodyBytesMax: most };
  const parcel = await transport.request(to, OFFERS_PROTOCOL, { header: EMPTY, body }, options);
  const answer = decodeCanonical(offersAnswerCodec, parcel.body, most);
  if (answer.kind === 'refused') throw new ProtocolError(DECLINED, answer.reason);
  return answer;
}
