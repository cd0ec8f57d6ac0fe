import { isDeepStrictEqual } from 'node:util';
import type { ServingHandlers } from '@starling/control';
import {
  type BlobHash,
  type BlobStore,
  ConfigError,
  type JobId,
  type Journal,
  type Log,
  type PeerId,
  utf8,
} from '@starling/core';
import { hashHex, parsePeerId } from '@starling/crypto';
import type { StarlingNode } from '@starling/node';
import type { CardId } from '@starling/protocol-models';
import type { Notice } from '@starling/rounds';
import {
  type HttpListener,
  listenHttp,
  PeerModels,
  type PeerPoint,
  type Served,
  type ServeOptions,
  Serving,
  type ServingObserver,
  servePeers,
  type TensorSpec,
} from '@starling/serving';
import type { DeviceChoice, Inference } from '@starling/trainer';
import { tcpOptions } from './api.ts';
import type { Config } from './config.ts';
import { systemClock } from './ports.ts';
import { clientTokens } from './serving-config.ts';
import { type CardModels, CardSource, FileSource, JobSource } from './serving-sources.ts';
import { VERSION } from './version.ts';

export interface ServingServiceParts extends Omit<PeerPoint, 'mayAsk'> {
  readonly config: Config['serving'];
  readonly journal: Journal;
  readonly blobs: BlobStore;
  readonly node: StarlingNode;
  readonly inference: Inference;
  readonly log: Log;
  readonly observer: ServingObserver;
  /** A job by its id, an unambiguous beginning of it, or its name. */
  readonly findJob: (wanted: string) => JobId;
  readonly models: CardModels;
  /** Whether a peer may use a published model. */
  readonly admits: (card: CardId, peer: PeerId) => boolean;
}

/** A served model in the journal; null once it is served no longer. */
type Stored = {
  readonly from: string;
  readonly source:
    | { readonly kind: 'job'; readonly job: JobId }
    | { readonly kind: 'file'; readonly hash: BlobHash; readonly version: number }
    | { readonly kind: 'card'; readonly card: CardId };
  readonly options: ServeOptions;
} | null;

type Wanted = Parameters<ServingHandlers['serve']>[0];

const PREFIX = 'serving/';

type NewFile = Extract<Wanted['source'], { kind: 'file' }> & { readonly options: ServeOptions };

interface Entry {
  readonly from: string;
  readonly source: JobSource | FileSource | CardSource;
  readonly options: ServeOptions;
}

/** The models that this daemon serves: kept in the journal, over HTTP and to the swarm. */
export class ServingService {
  readonly #parts: ServingServiceParts;
  readonly #serving: Serving;
  readonly #peers: PeerModels;
  readonly #entries = new Map<string, Entry>();
  #listener: HttpListener | undefined;

  private constructor(parts: ServingServiceParts) {
    this.#parts = parts;
    const { log, observer, inference, transport } = parts;
    this.#serving = new Serving({
      ...{ log, observer, clock: systemClock },
      open: (model, device) => inference.open(model, device as DeviceChoice),
    });
    this.#peers = new PeerModels(transport);
  }

  /** @throws ConfigError when it cannot listen where the configuration says */
  static async open(parts: ServingServiceParts): Promise<ServingService> {
    const service = new ServingService(parts);
    await service.#restore();
    await service.#listen();
    servePeers(service.#serving, {
      ...parts,
      mayAsk: (model, peer) => {
        const source = service.#entries.get(model)?.source;
        if (source === undefined) return false;
        return !(source instanceof CardSource) || parts.admits(source.card, peer);
      },
    });
    return service;
  }

  /** Told of everything in every job: where a chain has changed, there is another model. */
  readonly take = (job: JobId, { kind }: Notice): void => {
    if (kind !== 'certified' && kind !== 'rolled-back') return;
    const following = [...this.#entries.values()].flatMap(({ source }) =>
      source instanceof JobSource && source.job === job ? [source] : [],
    );
    // It is told in the middle of a step: the model is there a moment later.
    if (following.length > 0) setImmediate(() => following.map((source) => source.tell()));
  };

  /** Files that the store must keep. */
  *pinned(): Iterable<BlobHash> {
    for (const { source } of this.#entries.values()) {
      if (source instanceof FileSource) yield source.hash;
    }
  }

  /** What metrics are read off. */
  served(): readonly Served[] {
    return this.#serving.list();
  }

  readonly handlers: ServingHandlers = {
    list: async () => ({
      url: this.#listener?.url ?? null,
      models: this.#serving.list().map((model) => this.#view(model)),
    }),
    serve: (wanted) => this.#serve(wanted),
    unserve: (name) => this.#unserve(name),
    peerModels: async (peer) =>
      (await this.#peers.list(peerOf(peer))).map(({ inputs, outputs, ...model }) => ({
        ...{ ...model, inputs: inputs.map(specView), outputs: outputs.map(specView) },
      })),
    askPeer: async ({ peer, model, inputs, outputs, version }) => {
      const tensors = inputs.map(({ data, ...tensor }) => ({
        ...tensor,
        bytes: Buffer.from(data, 'base64'),
      }));
      const request = { inputs: tensors, outputs, version };
      const answer = await this.#peers.infer(peerOf(peer), model, request);
      return {
        version: answer.version,
        outputs: answer.outputs.map(({ bytes, shape, ...tensor }) => ({
          ...{ ...tensor, shape: [...shape], data: Buffer.from(bytes).toString('base64') },
        })),
      };
    },
  };

  async close(): Promise<void> {
    await this.#listener?.close();
    await this.#serving.close();
  }

  async #listen(): Promise<void> {
    const { config, log } = this.#parts;
    const where = await tcpOptions(config, 'serving.tls');
    if (where === undefined) return;
    const tokens = await clientTokens(config.tokens);
    const { host, port, tls, hosts = [] } = where;
    this.#listener = await listenHttp(this.#serving, {
      ...{ host, port, tls, hosts, tokens, version: VERSION },
    });
    log.info('models are served over HTTP', { url: this.#listener.url, clients: tokens.length });
  }

  /** Loads in the background what was served before: a daemon that starts waits for no model. */
  async #restore(): Promise<void> {
    const { journal } = this.#parts;
    for await (const [key, value] of journal.entries(PREFIX)) {
      const stored = JSON.parse(new TextDecoder().decode(value)) as Stored;
      if (stored === null) continue;
      const { source: kept, from, options } = stored;
      const source = this.#restored(kept);
      const name = key.slice(PREFIX.length);
      void this.#serving.add(name, source, options).refresh();
      this.#entries.set(name, { source, from, options });
    }
  }

  #restored(kept: NonNullable<Stored>['source']): Entry['source'] {
    const { node, blobs, models } = this.#parts;
    switch (kept.kind) {
      case 'job':
        return new JobSource(node, kept.job);
      case 'file':
        return new FileSource(blobs, kept.hash, kept.version);
      case 'card':
        return new CardSource(models, kept.card);
    }
  }

  async #serve({ name, source: wanted, options }: Wanted) {
    this.#demandClients(options);
    const known = this.#entries.get(name);
    // What is being ended is there no more, though its file is kept until then.
    const isServed = this.#serving.model(name) !== undefined;
    if (wanted.kind === 'file' && isServed && known?.source instanceof FileSource) {
      return this.#replace(name, known.source, { ...wanted, options });
    }
    const made = await this.#sourceOf(wanted);
    const model = this.#serving.add(name, made.source, options);
    // From here on its file is kept.
    this.#entries.set(name, { ...made, options });
    await model.refresh();
    if (model.failure !== undefined) {
      this.#entries.delete(name);
      await this.#serving.remove(name);
      throw model.failure;
    }
    await this.#keep(name);
    return this.#view(this.#serving.find(name)!);
  }

  async #sourceOf(wanted: Wanted['source']): Promise<Omit<Entry, 'options'>> {
    const { node, blobs, models, findJob } = this.#parts;
    if (wanted.kind === 'card') {
      const { id, card } = models.named(wanted.card);
      const from = `card ${card.name}@${card.version}`;
      return { source: new CardSource(models, id), from };
    }
    if (wanted.kind === 'job') {
      const job = findJob(wanted.job);
      const from = `job ${node.job(job)?.job.manifest.name ?? job}`;
      return { source: new JobSource(node, job), from };
    }
    const hash = await blobs.put(this.#fileOf(wanted.model));
    return { source: new FileSource(blobs, hash, 1), from: wanted.file };
  }

  /** @throws ConfigError for a restricted model: the store gives what it has to all who ask */
  #fileOf(base64: string): Uint8Array {
    const file = Buffer.from(base64, 'base64');
    const card = this.#parts.models.restrictedAs(hashHex(file) as BlobHash);
    if (card === undefined) return file;
    const what = 'this file is a restricted model, and others would get it by its hash';
    throw new ConfigError(
      'model',
      what,
      `Serve its card: \`starling model serve NAME --card ${card}\``,
    );
  }

  /** The next version of a file; where it does not load, the one before stays. */
  async #replace(name: string, source: FileSource, { model, file: from, options }: NewFile) {
    const served = this.#serving.model(name)!;
    if (!isDeepStrictEqual(options, served.parts.options)) {
      const hint = `End it first: \`starling model unserve ${name}\``;
      throw new ConfigError('model', `"${name}" is served with other options`, hint);
    }
    const hash = await this.#parts.blobs.put(this.#fileOf(model));
    const before = { hash: source.hash, version: source.version };
    source.replace(hash, before.version + 1);
    await served.refresh();
    if (served.failure !== undefined) {
      const { failure } = served;
      source.replace(before.hash, before.version);
      throw failure;
    }
    this.#entries.set(name, { source, from, options });
    await this.#keep(name);
    return this.#view(this.#serving.find(name)!);
  }

  async #unserve(name: string) {
    const last = this.#serving.find(name);
    const entry = this.#entries.get(name);
    // Throws where there is none.
    const removed = this.#serving.remove(name);
    if (last === undefined) {
      await removed;
      throw new ConfigError('model', `no model "${name}" is served`);
    }
    const view = this.#view(last);
    // A journal deletes by prefix, and one name may begin another.
    await this.#parts.journal.put(`${PREFIX}${name}`, utf8(JSON.stringify(null)));
    await removed;
    // The name may be another model's by now.
    if (this.#entries.get(name) === entry) this.#entries.delete(name);
    return view;
  }

  async #keep(name: string): Promise<void> {
    const { from, source, options } = this.#entries.get(name)!;
    const stored: Stored = {
      ...{ from, options },
      source: storedSource(source),
    };
    await this.#parts.journal.put(`${PREFIX}${name}`, utf8(JSON.stringify(stored)));
  }

  #demandClients({ swarm }: ServeOptions): void {
    if (swarm || this.#listener !== undefined) return;
    const hint = 'Set `serving: {listen: "127.0.0.1:8600"}` and start again, or serve with --swarm';
    throw new ConfigError('serving.listen', 'nobody could ask: nothing listens over HTTP', hint);
  }

  #view(model: Served) {
    const { options, inputs, outputs, ...state } = model;
    return {
      ...state,
      ...{ inputs: inputs.map(specView), outputs: outputs.map(specView) },
      from: this.#entries.get(model.name)?.from ?? '',
      options: { ...options, device: options.device as DeviceChoice },
    };
  }
}

function storedSource(source: Entry['source']): NonNullable<Stored>['source'] {
  if (source instanceof JobSource) return { kind: 'job', job: source.job };
  if (source instanceof CardSource) return { kind: 'card', card: source.card };
  return { kind: 'file', hash: source.hash, version: source.version };
}

const specView = ({ shape, ...spec }: TensorSpec) => ({ ...spec, shape: [...shape] });

function peerOf(text: string): PeerId {
  const peer = parsePeerId(text);
  if (peer !== undefined) return peer;
  throw new ConfigError('peer', `"${text}" is no peer id`, '`starling status` shows those here');
}
