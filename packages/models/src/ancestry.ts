import { ProtocolError } from '@starling/core';
import { hashHex } from '@starling/crypto';
import { averageModels } from '@starling/onnx';
import type { Card, PublishedCard } from '@starling/protocol-models';
import { type CardFiles, type Finding, holds, notChecked, notClaimed } from './card-check.ts';
import { openCard } from './open-card.ts';
import { openProof } from './open-proof.ts';
import { quote } from './words.ts';

interface Parent extends PublishedCard {
  readonly model: Uint8Array | undefined;
}

/** What a card says that it was made from: the recipe, and the parents. */
export function verifyAncestry(
  card: Card,
  files: CardFiles,
): { readonly recipe: () => Finding; readonly parents: () => Finding } {
  const parents = parentsOf(card, files);
  return {
    recipe: () => {
      if (card.recipe === null) return notClaimed('the card has none');
      if (typeof parents === 'string') return parents;
      return recipeFinding(card, parents, files.model);
    },
    parents: () => {
      if (card.parents.length === 0) return notClaimed('the card names none');
      return typeof parents === 'string' ? parents : parentsFinding(card, parents, files);
    },
  };
}

/** The parents that are here, or which of them is none. */
function parentsOf({ parents }: Card, files: CardFiles): readonly Parent[] | string {
  const found: Parent[] = [];
  for (const given of files.parents ?? []) {
    const read = openCard(given.card, `parent ${found.length + 1}`);
    if (typeof read === 'string') return read;
    const who = `parent ${read.card.name}@${read.card.version}`;
    if (!parents.includes(read.id)) return `${who}: the card does not name ${quote(read.id)}`;
    if (given.model !== undefined && hashHex(given.model) !== read.card.model.hash) {
      return `${who}: the model file is not the one that its card names`;
    }
    found.push({ ...read, model: given.model });
  }
  return found;
}

function recipeFinding(
  { recipe, model }: Card,
  parents: readonly Parent[],
  file: Uint8Array,
): Finding {
  const parts = recipe!.parts.map(({ card, weight }) => {
    const part = parents.find(({ id }) => id === card)?.model;
    return { model: part, weight };
  });
  const here = parts.filter((part): part is { model: Uint8Array; weight: number } => {
    return part.model !== undefined;
  });
  if (here.length < parts.length) {
    return notChecked(`${here.length} of the ${parts.length} models that it averages are here`);
  }
  try {
    const made = hashHex(averageModels(here));
    if (made === hashHex(file)) return holds(`made again from ${parts.length} models`);
    return `the recipe: it gives ${quote(made)}, the card says ${quote(model.hash)}`;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return `the recipe: ${error.message}`;
  }
}

/** A job that was launched from a parent has its model in the manifest. */
function parentsFinding(card: Card, parents: readonly Parent[], files: CardFiles): Finding {
  const away = card.parents.length - parents.length;
  const rest = away === 0 ? '' : `; ${away} are not here`;
  if (card.recipe !== null) {
    return away === 0 ? holds('those of the recipe') : notChecked(`${away} are not here`);
  }
  const opened = card.lineage === null || !files.proof ? undefined : openProof(files.proof);
  if (opened === undefined || 'fault' in opened) return notChecked("the publisher's word");
  const launched = opened.job.manifest.model;
  const origin = parents.find((parent) => parent.card.model.hash === launched);
  if (origin !== undefined) {
    const { name, version } = origin.card;
    return holds(`the job was launched with the model of ${name}@${version}${rest}`);
  }
  if (away > 0) return notChecked(`${away} of ${card.parents.length} are not here`);
  return `the parents: the job was launched with model ${quote(launched)}, which is no parent's`;
}
