import {
  type Inspect,
  type InspectionView,
  type ManifestView,
  manifestView,
  type PeersView,
} from '@starling/control';
import type { PeerId } from '@starling/core';
import type { JobReport, StarlingNode } from '@starling/node';
import type { FileBlobStore } from '@starling/store';
import type { ConnectionStatus, SwarmStatus } from '@starling/swarm';
import {
  checkAugmentation,
  type Inspection,
  parseAugmentation,
  parseDataOptions,
  planDataset,
  schemaOf,
  usualTask,
} from '@starling/trainer';

/** Peers as the API shows them. */
export function peersView({ connections, knownPeers, unreachable }: SwarmStatus): PeersView {
  const byPeer = new Map<PeerId, ConnectionStatus[]>();
  for (const connection of connections) {
    byPeer.set(connection.peer, [...(byPeer.get(connection.peer) ?? []), connection]);
  }
  return {
    connected: [...byPeer].map(([peer, own]) => ({
      peer,
      agent: own.find(({ agent }) => agent !== undefined)?.agent ?? null,
      connections: own.map(({ address, direction, relayed, latencyMs }) => ({
        ...{ address, direction, relayed, latencyMs: latencyMs ?? null },
      })),
    })),
    known: knownPeers,
    unreachable: unreachable.map((each) => ({ ...each })),
  };
}

interface ModelPlaces {
  readonly node: StarlingNode;
  readonly blobs: FileBlobStore;
}

/** Manifests as the API shows them. How large a model is, is looked at once. */
export class ManifestViews {
  readonly #places: ModelPlaces;
  readonly #parameters = new Map<string, number>();

  constructor(places: ModelPlaces) {
    this.#places = places;
  }

  async view({ job: { id, launcher, manifest } }: JobReport): Promise<ManifestView> {
    const modelBytes = await this.#places.blobs.size(manifest.model);
    const parameters = this.#parameters.get(id) ?? (await this.#count(id, manifest));
    return manifestView({ job: id, launcher, manifest, modelBytes, parameters });
  }

  async #count(
    id: string,
    { model, training }: JobReport['job']['manifest'],
  ): Promise<number | undefined> {
    const bytes = await this.#places.blobs.get(model);
    if (bytes === undefined) return undefined;
    try {
      const { layout } = await this.#places.node.describe(bytes, training);
      this.#parameters.set(id, layout.parameters);
      return layout.parameters;
    } catch {
      // A stranger's model that cannot be read is told of by the job's standing.
      return undefined;
    }
  }
}

/**
 * Looks at files, as `starling data add` does.
 * @throws ConfigError naming the word, and what it takes
 */
export async function inspectData(wanted: Inspect): Promise<InspectionView> {
  const { path, name, task: given, augment: how, ...words } = wanted;
  const augment = how === undefined ? null : parseAugmentation(how);
  const inspection = await planDataset(path, parseDataOptions(words));
  const { plan, notes, problems } = inspection;
  if (augment !== null) checkAugmentation(augment, plan);
  const task = given ?? usualTask(path, inspection);
  const offer = { name, path, plan, augment, schema: schemaOf(task, plan) };
  return {
    offer: problems.length > 0 ? null : offer,
    ...{ task, format: plan.format, examples: plan.count, bytes: plan.bytes },
    ...{ shape: [...plan.shape], histogram: [...plan.histogram], classes: classesOf(inspection) },
    columns: inspection.columns.map((column) => ({ ...column })),
    ...{ notes: [...notes], problems: [...problems] },
  };
}

const classesOf = ({ plan: { target } }: Inspection): string[] | null =>
  target.kind === 'classes' && target.names !== null ? [...target.names] : null;
