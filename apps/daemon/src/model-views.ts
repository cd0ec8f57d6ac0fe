import type { CardView, FoundModels } from '@starling/control';
import type { HeldCard, SearchOutcome } from '@starling/models';
import type { CardStatement, Word, WordOf } from '@starling/protocol-models';

const isoTime = (seconds: number): string => new Date(1000 * seconds).toISOString();

/** Statements of one kind, with their words. */
function saying<K extends Word['kind']>(
  { statements }: HeldCard,
  kind: K,
): readonly { readonly statement: CardStatement; readonly word: WordOf<K> }[] {
  return statements.flatMap((statement) => {
    const { word } = statement;
    return word.kind === kind ? [{ statement, word: word as WordOf<K> }] : [];
  });
}

/** A card as the API shows it, with what others say of it now. */
export function cardView(held: HeldCard): CardView {
  const { id, publisher, card } = held;
  const { recipe, published, tags, parents, inputs, outputs, metrics, ...rest } = card;
  const [deprecation] = saying(held, 'deprecate');
  const [offer] = saying(held, 'offer');
  return {
    ...{ id, publisher, ...rest },
    ...{ tags: [...tags], parents: [...parents], metrics: [...metrics] },
    ...{ inputs: inputs.map(valueView), outputs: outputs.map(valueView) },
    recipe: recipe?.parts.map((part) => ({ ...part })) ?? null,
    published: isoTime(published),
    deprecated: deprecation
      ? {
          ...{ reason: deprecation.word.reason, successor: deprecation.word.successor },
          at: isoTime(deprecation.statement.at),
        }
      : null,
    offer: offer && isOpen(offer.word) ? offerView(offer.word) : null,
    // One taken back says nothing any more.
    vouches: saying(held, 'vouch')
      .filter(({ word }) => word.what !== 'withdrawn')
      .map(({ statement: { signer, at }, word: { what, metric, note } }) => ({
        ...{ signer, what, metric, note, at: isoTime(at) },
      })),
  };
}

const isOpen = ({ until }: WordOf<'offer'>): boolean => 1000 * until > Date.now();

const offerView = ({ kind: _, until, ...terms }: WordOf<'offer'>) => ({
  ...terms,
  until: isoTime(until),
});

const valueView = ({ name, type, shape }: HeldCard['card']['inputs'][number]) => ({
  ...{ name, type, shape: [...shape] },
});

export const foundView = ({ found, asked }: SearchOutcome): FoundModels => ({
  models: found.map(({ held, score, reasons, superseded, namedBy }) => ({
    ...{ card: cardView(held), score, superseded },
    ...{ reasons: reasons.map((reason) => ({ ...reason })), namedBy: [...namedBy] },
  })),
  asked: asked.map(({ peer, found: count, fault }) => ({
    ...{ peer, found: count, error: fault ?? null },
  })),
});
