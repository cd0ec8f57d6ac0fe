import type { CardFile, ModelHandlers } from '@starling/control';
import { type BlobHash, ConfigError } from '@starling/core';
import { hashHex } from '@starling/crypto';
import type { HeldCard, ModelService } from '@starling/models';
import type { CardId } from '@starling/protocol-models';
import type { RunningModels } from './model-start.ts';
import { cardView, foundView } from './model-views.ts';

/** A job's newest model, and what proves where it comes from. */
export interface PulledModel {
  readonly model: Uint8Array;
  readonly proof: Uint8Array;
}

/** How a model is published, beside what its card says. */
type Published = Pick<Parameters<ModelHandlers['publish']>[0], 'restricted' | 'recipe'>;

interface GivenFiles {
  readonly model: Uint8Array;
  readonly proof?: Uint8Array | undefined;
}

export interface ModelHandlerParts extends RunningModels {
  /** The newest certified model of a job, by its id or name. */
  readonly pull: (job: string) => Promise<PulledModel>;
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));

/** The API of published models over the running service. */
export function modelHandlers(parts: ModelHandlerParts): ModelHandlers {
  const { service, thread, offers, pull } = parts;
  const publish = async (file: CardFile, how: Published, { model, proof }: GivenFiles) => {
    const parts = how.recipe?.map(({ model: hash, weight }) => {
      return { card: cardOfModel(service, hash), weight };
    });
    const named = file.parents.map((parent) => service.named(parent).id);
    const parents = [...new Set([...named, ...(parts ?? []).map(({ card }) => card)])];
    // What is made of others was not trained in rounds of its own.
    const given = parts === undefined ? proof : undefined;
    const draft = await thread.draft({ file, model, proof: given, parents });
    const proven = draft.proof === null ? undefined : given;
    const recipe = parts === undefined ? null : ({ kind: 'average', parts } as const);
    if (!how.restricted) {
      return cardView(await service.publish({ ...draft, recipe }, { model, proof: proven }));
    }
    const { blob, key } = offers.desk.seal(model);
    const sized = { hash: hashHex(blob) as BlobHash, bytes: blob.length };
    const onSigned = (id: CardId) => offers.desk.keepKey(id, key);
    const sealed = { ...draft, recipe, blob: sized, access: 'restricted' } as const;
    return cardView(await service.publish(sealed, { model, proof: proven, blob, onSigned }));
  };
  return {
    publish: async ({ card, job, model, proof, ...how }) => {
      if (job !== undefined) return publish(card, how, await pull(job));
      return publish(card, how, {
        model: bytesOf(model!),
        proof: proof === undefined ? proof : bytesOf(proof),
      });
    },
    search: async ({ here, timeoutSeconds, ...query }) =>
      foundView(await service.search(query, { here, deadlineMs: 1000 * timeoutSeconds })),
    show: async (id) => cardView(service.named(id)),
    fetch: async (id) => {
      const { held, model, proof } = await service.fetch(id);
      const parents = held.card.parents.flatMap((parent) => service.book.get(parent) ?? []);
      return {
        ...{ card: cardView(held), signed: base64(held.bytes), model: base64(model) },
        proof: proof === undefined ? null : base64(proof),
        parents: parents.map(({ bytes }) => base64(bytes)),
      };
    },
    vouch: async (id, { what, metric, note }) =>
      cardView(await service.say(id, { kind: 'vouch', what, metric, note })),
    deprecate: async (id, { reason, successor }) => {
      const next = successor === null ? null : service.named(successor).id;
      if (next === service.named(id).id) {
        throw new ConfigError('successor', 'a card cannot take its own place');
      }
      return cardView(await service.say(id, { kind: 'deprecate', reason, successor: next }));
    },
  };
}

/**
 * A published model by its bytes: of several cards this peer's own, or else the one that was known
 * here first, since anybody may publish a copy.
 */
function cardOfModel({ book }: ModelService, hash: string): CardId {
  const hasModel = ({ card }: HeldCard) => card.model.hash === hash;
  const first = (cards: Iterable<HeldCard>) =>
    [...cards].filter(hasModel).toSorted((a, b) => a.taken - b.taken)[0];
  const found = first(book.own()) ?? first(book.all());
  if (found !== undefined) return found.id;
  const hint = 'Publish the models that were averaged first';
  throw new ConfigError('recipe', `no card is known here of model ${hash.slice(0, 12)}…`, hint);
}
