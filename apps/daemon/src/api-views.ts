import { type ManifestView, manifestView, type PeersView } from '@starling/control';
import type { PeerId } from '@starling/core';
import type { JobReport, StarlingNode } from '@starling/node';
import type { FileBlobStore } from '@starling/store';
import type { ConnectionStatus, SwarmStatus } from '@starling/swarm';

/** Peers as the API shows them. */
export function peersView(status: SwarmStatus): PeersView {
  const { connections, knownPeers, unreachable, outdated } = status;
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
    outdated: outdated.map((each) => ({ ...each })),
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
