import {
  decodeCanonical,
  encodeCanonical,
  type Parcel,
  type PeerId,
  ProtocolError,
  type RequestOptions,
  type Transport,
} from '@starling/core';
import {
  type CardId,
  type CardMark,
  MODELS_LIMITS,
  MODELS_PROTOCOL,
  type ModelsAnswer,
  type ModelsRequest,
  modelsAnswerCodec,
  modelsRequestCodec,
  statementsDigest,
} from '@starling/protocol-models';
import type { CardBook } from './book.ts';
import type { HeldCard } from './card-shelf.ts';
import { searchInTurns } from './search.ts';

const EMPTY = new Uint8Array(0);
/** What an answer's own form takes beside the cards or statements in it. */
const FRAME_BYTES = 8 * 1024;

/** Asks one peer. @throws ProtocolError when it does not answer, or answers with something else */
export async function askModels<K extends ModelsAnswer['kind']>(
  transport: Transport,
  peer: PeerId,
  request: ModelsRequest,
  wanted: K,
  options: Pick<RequestOptions, 'timeoutMs'>,
): Promise<Extract<ModelsAnswer, { kind: K }>> {
  const { answerBytesMax } = MODELS_LIMITS;
  const body = encodeCanonical(modelsRequestCodec, request);
  const parcel = await transport.request(
    peer,
    MODELS_PROTOCOL,
    { header: EMPTY, body },
    { ...options, bodyBytesMax: answerBytesMax },
  );
  const answer = decodeCanonical(modelsAnswerCodec, parcel.body, answerBytesMax);
  if (isKind(answer, wanted)) return answer;
  const reason = answer.kind === 'refused' ? answer.reason : `answered with ${answer.kind}`;
  throw new ProtocolError('refused', reason);
}

const isKind = <K extends ModelsAnswer['kind']>(
  answer: ModelsAnswer,
  kind: K,
): answer is Extract<ModelsAnswer, { kind: K }> => answer.kind === kind;

/** Answers from the book alone: nobody is asked on behalf of another. */
export async function answerModels(book: CardBook, { body }: Parcel): Promise<Parcel> {
  const request = decodeCanonical(modelsRequestCodec, body, MODELS_LIMITS.requestBytesMax);
  const answer = await answerTo(book, request);
  return { header: EMPTY, body: encodeCanonical(modelsAnswerCodec, answer) };
}

async function answerTo(book: CardBook, request: ModelsRequest): Promise<ModelsAnswer> {
  switch (request.kind) {
    case 'search': {
      const found = await searchInTurns(book.all(), request);
      return { kind: 'found', marks: found.map(({ held }) => markOf(held)) };
    }
    case 'newest':
      return { kind: 'newest', marks: book.all().slice(0, request.limit).map(markOf) };
    case 'cards':
      return { kind: 'cards', cards: fitting(heldIn(book, request.ids)) };
    case 'statements': {
      const statements = heldIn(book, request.ids).flatMap((held) => held.statements);
      const fit = fitting(statements).slice(0, MODELS_LIMITS.statementsMax);
      return { kind: 'statements', statements: fit };
    }
  }
}

const heldIn = (book: CardBook, ids: readonly CardId[]): readonly HeldCard[] =>
  [...new Set(ids)].flatMap((id) => book.get(id) ?? []);

/** As many of the signed bytes as fit an answer, from the first on. */
function fitting(items: readonly { readonly bytes: Uint8Array }[]): readonly Uint8Array[] {
  let room = MODELS_LIMITS.answerBytesMax - FRAME_BYTES;
  const fit: Uint8Array[] = [];
  for (const { bytes } of items) {
    room -= bytes.length + 5;
    if (room < 0) break;
    fit.push(bytes);
  }
  return fit;
}

const marks = new WeakMap<HeldCard, CardMark>();

/** Made once for what is held: a newcomer asks for a thousand. */
function markOf(held: HeldCard): CardMark {
  const { id, statements } = held;
  const mark = marks.get(held) ?? { id, digest: statementsDigest(statements) };
  marks.set(held, mark);
  return mark;
}
