import type { PeerId, Transport } from '@starling/core';
import { equalBytes } from '@starling/core';
import {
  type CardId,
  type CardMark,
  MODELS_LIMITS,
  type ModelQuery,
  statementsDigest,
} from '@starling/protocol-models';
import type { CardBook } from './book.ts';
import { askModels } from './messages.ts';

export interface GatherParts {
  readonly transport: Transport;
  readonly book: CardBook;
}

export interface GatherOptions {
  /** For each request. */
  readonly timeoutMs: number;
}

/** Takes into the book what a peer has that answers a query; the cards that it named. */
export async function gatherFound(
  parts: GatherParts,
  peer: PeerId,
  query: ModelQuery,
  options: GatherOptions,
): Promise<readonly CardId[]> {
  const request = { kind: 'search', ...query } as const;
  const { marks } = await askModels(parts.transport, peer, request, 'found', options);
  await gather(parts, peer, marks, options);
  return marks.map(({ id }) => id);
}

/** Takes into the book what a peer came to hold last. */
export async function gatherNewest(
  parts: GatherParts,
  peer: PeerId,
  options: GatherOptions,
): Promise<void> {
  const request = { kind: 'newest', limit: MODELS_LIMITS.newestMax } as const;
  const { marks } = await askModels(parts.transport, peer, request, 'newest', options);
  // The oldest first, so that they stand here in the order in which they came there.
  await gather(parts, peer, marks.toReversed(), options);
}

/** Takes in one card, and what a peer holds about it. */
export const gatherCard = (
  parts: GatherParts,
  peer: PeerId,
  id: CardId,
  options: GatherOptions,
): Promise<void> => gather(parts, peer, [{ id, digest: UNKNOWN }], options);

/** Cards whose statements fit one answer, even when each has as many as a book keeps. */
const STATEMENTS_OF = 8;
/** No hash begins so: whatever is held, what the peer holds is asked for. */
const UNKNOWN = new Uint8Array(8);

/**
 * Asks for the cards that are not held, then for statements where others are held. Whoever sends
 * nothing that can be used is asked no more.
 */
async function gather(
  { transport, book }: GatherParts,
  peer: PeerId,
  marks: readonly CardMark[],
  options: GatherOptions,
): Promise<void> {
  const unknown = marks.filter(({ id }) => book.get(id) === undefined).map(({ id }) => id);
  for (const ids of batches(unknown, MODELS_LIMITS.idsMax)) {
    const request = { kind: 'cards', ids } as const;
    const { cards } = await askModels(transport, peer, request, 'cards', options);
    let used = 0;
    for (const card of cards) if ((await book.takeCard(card)).kind === 'new') used += 1;
    if (used === 0) break;
  }
  const isNews = ({ id, digest }: CardMark): boolean => {
    const held = book.get(id);
    return held !== undefined && !equalBytes(statementsDigest(held.statements), digest);
  };
  const news = marks.filter(isNews).map(({ id }) => id);
  for (const ids of batches(news, STATEMENTS_OF)) {
    const request = { kind: 'statements', ids } as const;
    const { statements } = await askModels(transport, peer, request, 'statements', options);
    let used = 0;
    for (const each of statements) if ((await book.takeStatement(each)).kind === 'new') used += 1;
    if (used === 0) break;
  }
}

function* batches(ids: readonly CardId[], most: number): Iterable<readonly CardId[]> {
  for (let at = 0; at < ids.length; at += most) {
    yield ids.slice(at, at + most);
  }
}
