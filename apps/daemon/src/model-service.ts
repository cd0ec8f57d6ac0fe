import type { CardFile, ModelHandlers } from '@starling/control';
import { ConfigError } from '@starling/core';
import type { RunningModels } from './model-start.ts';
import { cardView, foundView } from './model-views.ts';

/** A job's newest model, and what proves where it comes from. */
export interface PulledModel {
  readonly model: Uint8Array;
  readonly proof: Uint8Array;
}

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
export function modelHandlers({ service, thread, pull }: ModelHandlerParts): ModelHandlers {
  const publish = async (file: CardFile, { model, proof }: GivenFiles) => {
    const parents = file.parents.map((parent) => service.named(parent).id);
    const draft = await thread.draft({ file, model, proof, parents });
    const proven = draft.proof === null ? undefined : proof;
    return cardView(await service.publish(draft, { model, proof: proven }));
  };
  return {
    publish: async ({ card, job, model, proof }) => {
      if (job !== undefined) return publish(card, await pull(job));
      return publish(card, {
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
