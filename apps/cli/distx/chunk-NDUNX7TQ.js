// apps/daemon/src/ports.ts
import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { applyVector, dataOffers, inspectDataset } from './chunk-4B55UYVQ.js';
import {
  assert,
  bytes,
  ConfigError,
  compareText,
  decodeCanonical,
  encodeCanonical,
  equalBytes,
  errorMessage,
  fromHex,
  InvariantError,
  isHash,
  LIMITS,
  millis,
  ProtocolError,
  struct,
  toHex,
  u32,
  u32be,
  union,
  utf8,
} from './chunk-74QJAORY.js';
import {
  CHUNK_PROTOCOL,
  certificateCodec,
  chunkHeaderCodec,
  chunkLayout,
  consentTo,
  createEngine,
  decodeState,
  encodeState,
  engineStep,
  examplesMax,
  FEDAVG,
  gossipCodec,
  hashHex,
  initialState,
  isSettled,
  jobsTopic,
  jobTopic,
  METRIC_COORDINATES,
  manifestFault,
  missingFrom,
  openEnvelope,
  parsePeerId,
  parseSlot,
  proofCodec,
  readJob,
  roundOf,
  SYNC_ANSWER_BYTES_MAX,
  SYNC_PROTOCOL,
  sha256,
  signingKeyFromSeed,
  signManifest,
  slotKey,
  stateHashOf,
  statementHash,
  survivorCount,
  syncAnswerCodec,
  syncRequestCodec,
  updateCodec,
} from './chunk-EMDBR6KR.js';
import { createControlServer, createTrainer, trustOf, VERSION } from './chunk-SRCTQGPL.js';

var systemClock = {
  now: () => millis(performance.now()),
  setTimer(after, fire) {
    const timer = setTimeout(fire, after);
    return () => clearTimeout(timer);
  },
};
var systemRandom = { bytes: (length) => new Uint8Array(randomBytes(length)) };
function createLog(level) {
  const log = pino({ level, base: null }, pino.destination({ dest: 2, sync: true }));
  return {
    debug: (message, fields) => log.debug(fields ?? {}, message),
    info: (message, fields) => log.info(fields ?? {}, message),
    warn: (message, fields) => log.warn(fields ?? {}, message),
    error: (message, fields) => log.error(fields ?? {}, message),
  };
}

// apps/daemon/src/daemon.ts
import { join as join4 } from 'node:path';

// protocols/blobs/src/index.ts
var BLOBS_VERSION = 1;
var BLOBS_PROTOCOL = `/starling/blobs/${BLOBS_VERSION}`;
var BLOB_HEADER_BYTES_MAX = 64;
var blobRequest = struct({ hash: bytes(32) });
var blobResponse = union({
  found: struct({ size: u32(LIMITS.bodyBytesMax) }),
  missing: struct({}),
});

// packages/node/src/blob-exchange.ts
var NO_BODY = new Uint8Array(0);
var OFF_LOOP_FROM_BYTES = 16 * 1024 * 1024;
function createBlobExchange(parts) {
  const { transport } = parts;
  transport.handle(BLOBS_PROTOCOL, (parcel) => serve(parcel, parts));
  return {
    async fetch(hash, from, options) {
      const held = await heldBlob(parts, hash);
      if (held !== void 0) return held;
      const reasons = [];
      for (const peer of from) {
        try {
          return await fetchFrom(transport, peer, hash, options);
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error;
          reasons.push(`${peer}: ${errorMessage(error)}`);
        }
      }
      const tried = reasons.length === 0 ? 'no peer to ask' : reasons.join('; ');
      throw new ProtocolError('blob-unavailable', `blob ${hash}: ${tried}`);
    },
  };
}
async function heldBlob({ store, extra }, hash) {
  return extra?.(hash) ?? (await store.get(hash));
}
async function serve({ header, body }, parts) {
  const { hash } = decodeCanonical(blobRequest, header, BLOB_HEADER_BYTES_MAX);
  if (body.length > 0) throw new ProtocolError('malformed', 'a blob request has no body');
  const blob = await heldBlob(parts, toHex(hash));
  return blob === void 0
    ? { header: encodeCanonical(blobResponse, { kind: 'missing' }), body: NO_BODY }
    : { header: encodeCanonical(blobResponse, { kind: 'found', size: blob.length }), body: blob };
}
async function fetchFrom(transport, peer, hash, options) {
  const header = encodeCanonical(blobRequest, { hash: fromHex(hash) });
  const answer = await transport.request(peer, BLOBS_PROTOCOL, { header, body: NO_BODY }, options);
  const response = decodeCanonical(blobResponse, answer.header, BLOB_HEADER_BYTES_MAX);
  if (response.kind === 'missing') throw new ProtocolError('missing', 'does not hold it');
  if (answer.body.length !== response.size || (await hashOf(answer.body)) !== hash) {
    throw new ProtocolError('corrupt', 'sent other bytes');
  }
  return answer.body;
}
async function hashOf(bytes2) {
  if (bytes2.length < OFF_LOOP_FROM_BYTES) return hashHex(bytes2);
  const digest2 = await crypto.subtle.digest('SHA-256', bytes2);
  return toHex(new Uint8Array(digest2));
}

// packages/node/src/compute-pool.ts
import { Worker } from 'node:worker_threads';

function createComputePool(entry2) {
  const waiting = /* @__PURE__ */ new Map();
  let worker;
  let next = 0;
  const failAll = (error) => {
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
    worker = void 0;
  };
  const start = () => {
    const started = new Worker(entry2);
    started.unref();
    started.on('message', (answer) => {
      const task = waiting.get(answer.id);
      waiting.delete(answer.id);
      if (answer.error === void 0) task?.resolve(answer.output);
      else if (answer.code !== void 0) task?.reject(new ProtocolError(answer.code, answer.error));
      else task?.reject(new InvariantError(answer.error));
    });
    started.on('error', failAll);
    return started;
  };
  return {
    run(name, input) {
      worker ??= start();
      const id = next++;
      return new Promise((resolve2, reject) => {
        waiting.set(id, { resolve: resolve2, reject });
        worker.postMessage({ id, name, input });
      });
    },
    async close() {
      await worker?.terminate();
      failAll(new ProtocolError('closed', 'the node is stopping'));
    },
  };
}

// packages/node/src/metered.ts
function metered(inner) {
  let bytesOut = 0;
  let bytesIn = 0;
  const transport = {
    self: inner.self,
    peers: () => inner.peers(),
    onPeerChange: (listen) => inner.onPeerChange(listen),
    publish(topic, message) {
      bytesOut += message.length;
      return inner.publish(topic, message);
    },
    subscribe: (topic, handle) =>
      inner.subscribe(topic, (message, from) => {
        bytesIn += message.length;
        handle(message, from);
      }),
    async request(to, protocol, parcel, options) {
      bytesOut += parcel.header.length + parcel.body.length;
      const answer = await inner.request(to, protocol, parcel, options);
      bytesIn += answer.header.length + answer.body.length;
      return answer;
    },
    handle: (protocol, answer) =>
      inner.handle(protocol, async (parcel, from) => {
        bytesIn += parcel.header.length + parcel.body.length;
        const reply = await answer(parcel, from);
        bytesOut += reply.header.length + reply.body.length;
        return reply;
      }),
    provide: (key) => inner.provide(key),
    findProviders: (key, options) => inner.findProviders(key, options),
  };
  return { transport, traffic: () => ({ bytesOut, bytesIn }) };
}

// packages/node/src/catalogue.ts
var Catalogue = class {
  #journal;
  constructor(journal) {
    this.#journal = journal;
  }
  async add(job, manifest) {
    await this.#journal.put(`catalogue/${job}/manifest`, manifest);
  }
  async decide(job, decision) {
    await this.#journal.put(`catalogue/${job}/decision`, utf8(JSON.stringify(decision)));
  }
  async all() {
    const found = /* @__PURE__ */ new Map();
    for await (const [key, value] of this.#journal.entries('catalogue/')) {
      const [, job, field] = key.split('/');
      const entry2 = found.get(job) ?? {};
      if (field === 'manifest') entry2.manifest = value;
      else entry2.decision = JSON.parse(new TextDecoder().decode(value));
      found.set(job, entry2);
    }
    return [...found.values()].flatMap(({ manifest, decision }) =>
      manifest === void 0 ? [] : [{ manifest, decision }],
    );
  }
};

// packages/node/src/job-journal.ts
var JobJournal = class {
  #journal;
  #prefix;
  constructor(journal, job) {
    this.#journal = journal;
    this.#prefix = `job/${job}/`;
  }
  async note(key, value) {
    await this.#journal.put(`${this.#prefix}note/${key}`, utf8(value));
  }
  /** Replaces the chain from index `from` on. */
  async storeChain(from, certificates) {
    for (const [i, certificate] of certificates.entries()) {
      const encoded = encodeCanonical(certificateCodec, certificate);
      await this.#journal.put(this.#chainKey(from + i), encoded);
    }
    const end = this.#chainKey(from + certificates.length);
    for await (const [key] of this.#journal.entries(`${this.#prefix}chain/`)) {
      if (compareText(key, end) >= 0) await this.#journal.deletePrefix(key);
    }
  }
  async recover() {
    const certificates = [];
    for await (const [, value] of this.#journal.entries(`${this.#prefix}chain/`)) {
      certificates.push(decodeCanonical(certificateCodec, value, LIMITS.controlBytesMax));
    }
    const joined = [];
    const prefix = `${this.#prefix}note/join/`;
    for await (const [key] of this.#journal.entries(prefix)) {
      const [roundId, ...slot] = key.slice(prefix.length).split('/');
      joined.push({ roundId, slot: parseSlot(slot.join('/')) });
    }
    return { certificates, joined };
  }
  #chainKey(index) {
    return `${this.#prefix}chain/${String(index).padStart(8, '0')}`;
  }
};

// packages/node/src/queue.ts
var EventQueue = class {
  #items = [];
  #max;
  #wake;
  #closed = false;
  dropped = 0;
  constructor(max) {
    this.#max = max;
  }
  get length() {
    return this.#items.length;
  }
  /** False when the event was dropped. */
  push(event, options) {
    if (this.#closed) return false;
    if (options.droppable && this.#items.length >= this.#max) {
      this.dropped += 1;
      return false;
    }
    this.#items.push(event);
    this.#wake?.();
    return true;
  }
  /** The next event; undefined when the queue is closed. */
  async next() {
    while (this.#items.length === 0 && !this.#closed) {
      await new Promise((resolve2) => {
        this.#wake = resolve2;
      });
      this.#wake = void 0;
    }
    return this.#closed ? void 0 : this.#items.shift();
  }
  close() {
    this.#closed = true;
    this.#wake?.();
  }
};

// packages/node/src/delay.ts
var delay = ({ clock }, ms) =>
  new Promise((resolve2) => {
    clock.setTimer(millis(ms), resolve2);
  });

// packages/privacy/src/clipping.ts
var ROUNDING_MARGIN = 1 - 2 ** -23;
function clipToNorm(update, bound) {
  assert(Number.isFinite(bound) && bound > 0, `clipping norm: ${bound}`);
  let squares = 0;
  for (let i = 0; i < update.length; i++) squares += update[i] * update[i];
  if (!Number.isFinite(squares)) {
    throw new ProtocolError('not-finite', 'the update holds NaN or Infinity');
  }
  const norm = Math.sqrt(squares);
  if (norm <= bound) return { clipped: update, norm };
  const scale = (bound / norm) * ROUNDING_MARGIN;
  const clipped = new Float32Array(update.length);
  for (let i = 0; i < update.length; i++) clipped[i] = update[i] * scale;
  return { clipped, norm };
}

// packages/node/src/training.ts
var codecOf = ({ aggregation, admission }) => ({
  bits: aggregation.ringBits,
  peersMax: admission.maxPeers,
  clippingNorm: aggregation.clippingNorm,
});
async function trainRound(input) {
  const { node, job, vectors, prepared, stateHash, round } = input;
  const state = await node.blobs.get(stateHash);
  if (state === void 0) throw new ProtocolError('state-missing', `state ${stateHash} is not held`);
  const { model } = decodeState(state);
  const codec = codecOf(job.manifest);
  const evaluation = await prepared.evaluate(model, examplesMax(updateCodec(codec)));
  const seed = new DataView(node.random.bytes(4).buffer).getUint32(0);
  const trained = await prepared.train(model, seed);
  const { clipped } = clipToNorm(trained.update, codec.clippingNorm);
  const { words } = await node.compute.run('quantise', {
    update: clipped,
    metrics: evaluation,
    seed: node.random.bytes(32),
    codec,
  });
  const id = `${round}-${toHex(node.random.bytes(8))}`;
  const handle = `${job.id}/update/${id}`;
  vectors.putWords(handle, words);
  return { id, handle };
}

// packages/node/src/session-host.ts
var CHUNK_TIMEOUT_MS = 3e4;
var RETRY_MS = [100, 200, 400, 800, 1600, 3200];
var SessionHost = class {
  #parts;
  /** Round under way, for the observer. */
  #round = 0;
  constructor(parts) {
    this.#parts = parts;
  }
  async perform({ round, roundId, slot, config, effect }) {
    const place = new Place(this.#parts.job.id, roundId, slot, config);
    this.#round = round;
    switch (effect.kind) {
      case 'send-chunk':
        await this.#sendChunk(place, effect);
        return;
      case 'fetch-sum':
        await this.#fetchSum(place, effect);
        return;
      case 'compute':
        await this.#compute(place, effect);
        return;
      default:
    }
  }
  /** Computes the new global state, keeps it durably, and tells the engine its hash. */
  async apply(effect) {
    const { node, job, enqueue, vectors } = this.#parts;
    const before = await node.blobs.get(effect.stateHash);
    if (before === void 0) throw new ProtocolError('state-missing', effect.stateHash);
    const { state, metrics } = await node.compute.run('apply', {
      state: before,
      words: vectors.words(effect.result),
      survivors: effect.survivors,
      codec: codecOf(job.manifest),
    });
    const stateHash = await node.blobs.put(state);
    enqueue({ kind: 'applied', roundId: effect.roundId, stateHash, metrics });
  }
  async #compute(place, { compute }) {
    switch (compute.task) {
      case 'mask':
        await this.#mask(place, compute.input, compute.terms);
        return;
      case 'sum':
        await this.#sum(place, compute.chunks, compute.members);
        return;
      case 'unmask':
        await this.#unmask(place, compute.terms, compute.survivors);
        return;
      default:
    }
  }
  async #mask(place, input, terms) {
    const { node, vectors, job } = this.#parts;
    const words = vectors.words(input);
    node.observer?.input(job.id, this.#round, place.slot, words);
    const { shape, self } = place.config;
    const { chunks, hashes } = await node.compute.run('mask', {
      words,
      terms: plain(terms),
      shape,
    });
    for (const [chunk, bytes2] of chunks.entries()) {
      vectors.putBytes(place.chunk(chunk, self), bytes2);
    }
    this.#tell(place, { kind: 'masked', chunkHashes: hashes });
  }
  async #sum(place, chunks, members) {
    const { node, vectors } = this.#parts;
    const parts = chunks.map((chunk) => {
      const packed = members.map((member) => {
        const bytes2 = vectors.bytes(place.chunk(chunk, member));
        assert(bytes2 !== void 0, `chunk ${chunk} of member ${member} is receipted, not held`);
        return bytes2;
      });
      return { chunk, packed };
    });
    const { shape, members: roster } = place.config;
    const { sums } = await node.compute.run('sum', { parts, shape, peers: roster.length });
    for (const { chunk, bytes: bytes2, hash } of sums)
      vectors.putBytes(place.sum(chunk), bytes2, hash);
    this.#tell(place, {
      kind: 'summed',
      sums: sums.map(({ chunk, hash }) => ({ chunk, hash })),
    });
  }
  async #unmask(place, terms, survivors) {
    const { node, vectors, job } = this.#parts;
    const { shape, members } = place.config;
    const { count } = chunkLayout(shape.length, shape.bits, { chunkBytes: shape.chunkBytes });
    const sums = Array.from({ length: count }, (_, chunk) => {
      const bytes2 = vectors.bytes(place.sum(chunk));
      assert(bytes2 !== void 0, `sum of chunk ${chunk} is counted as here, but is not`);
      return bytes2;
    });
    const peers = members.length;
    const input = { sums, terms: plain(terms), shape, peers, survivors };
    const { words, inRange } = await node.compute.run('unmask', input);
    vectors.putWords(place.result, words);
    node.observer?.sum(job.id, this.#round, place.slot, words);
    this.#tell(place, { kind: 'unmasked', result: place.result, inRange });
  }
  async #sendChunk(place, { to, chunk, proof }) {
    const { node, vectors, job } = this.#parts;
    const body = vectors.bytes(place.chunk(chunk, place.config.self));
    assert(body !== void 0, `own chunk ${chunk} is gone before it was sent`);
    const { roundId, attempt } = place.config;
    const header = encodeCanonical(chunkHeaderCodec, { roundId, attempt, chunk, proof });
    const peer = place.config.members[to].peer;
    node.observer?.chunk(job.id, this.#round, body);
    await this.#withRetries(place, async () => {
      await node.transport.request(
        peer,
        CHUNK_PROTOCOL,
        { header, body },
        { timeoutMs: CHUNK_TIMEOUT_MS },
      );
    });
  }
  async #fetchSum(place, { chunk, hash, from }) {
    const { blobs, vectors, node } = this.#parts;
    const peers = from.map((member) => place.config.members[member].peer);
    try {
      const blob = toHex(hash);
      const bytes2 = await blobs.fetch(blob, peers, { timeoutMs: CHUNK_TIMEOUT_MS });
      vectors.putBytes(place.sum(chunk), bytes2, hash);
      this.#tell(place, { kind: 'sum-fetched', chunk });
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      await delay(node, 500);
      this.#tell(place, { kind: 'sum-missing', chunk });
    }
  }
  /** A chunk from a member of the running attempt. */
  receiveChunk(running, from, header, body) {
    const { vectors, job } = this.#parts;
    const { roundId, slot, config } = running;
    const handle = new Place(job.id, roundId, slot, config).chunk(header.chunk, from);
    const held = vectors.bytes(handle);
    if (held !== void 0 && !equalBytes(held, body)) {
      throw new ProtocolError('conflict', `chunk ${header.chunk} differs from the one sent before`);
    }
    vectors.putBytes(handle, body);
    const { chunk, proof } = header;
    const event = { kind: 'chunk-received', from, chunk, hash: sha256(body), proof };
    this.#parts.enqueue({ kind: 'session', roundId, message: { slot, event } });
  }
  /** Repeats a delivery that failed, as long as the attempt lasts: the owner may be a moment behind. */
  async #withRetries(place, attempt) {
    const { node, isCurrent } = this.#parts;
    for (const wait of RETRY_MS) {
      try {
        await attempt();
        return;
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
      }
      await delay(node, wait);
      if (!isCurrent({ roundId: place.roundId, attempt: place.slot.attempt })) return;
    }
  }
  #tell(place, event) {
    const message = { slot: place.slot, event };
    this.#parts.enqueue({ kind: 'session', roundId: place.roundId, message });
  }
};
var Place = class {
  roundId;
  slot;
  config;
  #prefix;
  constructor(job, roundId, slot, config) {
    this.roundId = roundId;
    this.slot = slot;
    this.config = config;
    this.#prefix = `${job}/${roundId}/${slotKey(slot)}`;
  }
  chunk = (chunk, member) => `${this.#prefix}/chunk/${chunk}/${member}`;
  sum = (chunk) => `${this.#prefix}/sum/${chunk}`;
  get result() {
    return `${this.#prefix}/result`;
  }
};
var plain = (terms) => terms.map(({ seed, sign }) => ({ seed: seed.reveal(), sign }));

// packages/node/src/sync-client.ts
var SYNC_TIMEOUT_MS = 5e3;
var STATE_TIMEOUT_MS = 6e4;
var NOTHING = new Uint8Array(0);
async function askSync({ transport }, to, request, timeoutMs = SYNC_TIMEOUT_MS) {
  const header = encodeCanonical(syncRequestCodec, request);
  const answer = await transport.request(
    to,
    SYNC_PROTOCOL,
    { header, body: NOTHING },
    { timeoutMs },
  );
  return decodeCanonical(syncAnswerCodec, answer.body, SYNC_ANSWER_BYTES_MAX);
}
var SyncClient = class {
  #parts;
  constructor(parts) {
    this.#parts = parts;
  }
  async perform(effect) {
    try {
      if (effect.kind === 'fetch-state') await this.#fetchState(effect);
      else await this.#ask(effect);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#parts.node.log.debug(`${effect.kind} failed`, { error: errorMessage(error) });
    }
  }
  async #ask(effect) {
    const { node, job, enqueue } = this.#parts;
    const request =
      effect.kind === 'pull'
        ? { kind: 'envelopes', job: job.id, round: effect.round, have: effect.have }
        : { kind: 'chain', job: job.id, fromRound: effect.fromRound };
    const answer = await askSync(node, effect.to, request);
    if (answer.kind === 'chain') {
      enqueue({ kind: 'chain', from: effect.to, certificates: answer.certificates });
    }
    if (answer.kind !== 'envelopes') return;
    for (const bytes2 of answer.envelopes) {
      const envelope = openEnvelope(bytes2);
      if (envelope !== void 0) enqueue({ kind: 'envelope', envelope });
    }
  }
  async #fetchState({ stateHash, from }) {
    const { node, blobs, enqueue } = this.#parts;
    try {
      if (!(await node.blobs.has(stateHash))) {
        await node.blobs.put(await blobs.fetch(stateHash, from, { timeoutMs: STATE_TIMEOUT_MS }));
      }
      enqueue({ kind: 'state-fetched', stateHash });
    } catch (error) {
      enqueue({ kind: 'state-missing', stateHash });
      throw error;
    }
  }
};

// packages/node/src/job-host.ts
var QUEUE_MAX = 4096;
var JobHost = class {
  job;
  #parts;
  #queue = new EventQueue(QUEUE_MAX);
  #timers = /* @__PURE__ */ new Map();
  #journal;
  #sync;
  #session;
  #loop;
  #state;
  #prepared;
  #training = 0;
  #stopped = false;
  constructor(parts) {
    const { node, options, job } = parts;
    this.job = job;
    this.#parts = parts;
    this.#state = createEngine({
      job,
      key: node.key,
      light: options.light,
      protection: options.protection,
      canary: options.canary,
    });
    const enqueue = (event) => this.enqueue(event);
    this.#journal = new JobJournal(node.journal, job.id);
    this.#sync = new SyncClient({ node, job, blobs: parts.blobs, enqueue });
    this.#session = new SessionHost({
      ...parts,
      enqueue,
      isCurrent: ({ roundId, attempt }) => this.running(roundId, attempt) !== void 0,
    });
    this.#loop = this.#run();
  }
  get state() {
    return this.#state;
  }
  get session() {
    return this.#session;
  }
  get queueLength() {
    return this.#queue.length;
  }
  /** The model is ready on this machine, with local data (`prepared`) or only to follow the job. */
  prepare(layout) {
    this.enqueue({ kind: 'prepared', ...layout });
  }
  /** Gives or takes away consent and data. */
  participate(prepared) {
    this.#prepared = prepared;
    this.enqueue({ kind: 'participate', on: prepared !== void 0 });
  }
  receive(envelope) {
    this.#queue.push({ kind: 'envelope', envelope }, { droppable: true });
  }
  enqueue(event) {
    this.#queue.push(event, { droppable: event.kind === 'head' || event.kind === 'envelope' });
  }
  async stop() {
    this.#stopped = true;
    this.#queue.close();
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
    await this.#loop;
    await this.#prepared?.close();
  }
  /** Certificates of the job from round `from` on. */
  certificates(from) {
    return this.#state.chain.slice(Math.max(0, from - 1));
  }
  async #run() {
    try {
      const recovered = await this.#journal.recover();
      await this.#take({ kind: 'start', ...recovered });
      for (;;) {
        const event = await this.#queue.next();
        if (event === void 0) return;
        await this.#take(event);
      }
    } catch (error) {
      if (!this.#stopped) this.#parts.onFatal(error);
    }
  }
  async #take(event) {
    const { state, effects } = engineStep(this.#state, { at: this.#parts.node.clock.now(), event });
    this.#state = state;
    for (const effect of effects) {
      if (this.#stopped) return;
      await this.#perform(effect);
    }
  }
  async #perform(effect) {
    const { node, job } = this.#parts;
    switch (effect.kind) {
      case 'journal':
        await this.#journal.note(effect.key, effect.value);
        return;
      case 'store-chain':
        await this.#journal.storeChain(effect.from, effect.certificates);
        return;
      case 'gossip': {
        const bytes2 = encodeCanonical(gossipCodec, effect.message);
        this.#inBackground(node.transport.publish(jobTopic(job.id), bytes2));
        return;
      }
      case 'set-timer':
        this.#setTimer(effect.timer, effect.afterMs);
        return;
      case 'train':
        this.#inBackground(this.#train(effect.stateHash, effect.round));
        return;
      case 'session':
        this.#inBackground(this.#session.perform(effect));
        return;
      case 'apply':
        this.#inBackground(this.#session.apply(effect));
        return;
      case 'release':
        this.#parts.vectors.release([`${job.id}/${effect.roundId}`]);
        return;
      case 'notice':
        this.#parts.options.onNotice?.(job.id, effect.notice);
        return;
      default:
        this.#inBackground(this.#sync.perform(effect));
    }
  }
  /** A failure of something under way is logged; a bug of ours ends the node. */
  #inBackground(work) {
    work.catch((error) => {
      if (this.#stopped) return;
      if (error instanceof InvariantError) this.#parts.onFatal(error);
      else this.#parts.node.log.warn('effect failed', { error: errorMessage(error) });
    });
  }
  #setTimer(timer, afterMs) {
    this.#timers.get(timer)?.();
    const cancel = this.#parts.node.clock.setTimer(millis(afterMs), () => {
      this.#timers.delete(timer);
      this.enqueue({ kind: 'timer', timer });
    });
    this.#timers.set(timer, cancel);
  }
  async #train(stateHash, round) {
    const turn2 = ++this.#training;
    const prepared = this.#prepared;
    if (prepared === void 0) return;
    const { node, job, vectors } = this.#parts;
    try {
      const update = await trainRound({ node, job, vectors, prepared, stateHash, round });
      if (turn2 !== this.#training) return;
      vectors.keepOnly(`${job.id}/update/`, update.handle);
      this.enqueue({ kind: 'trained', stateHash, update, entropy: node.random.bytes(32) });
    } catch (error) {
      if (error instanceof InvariantError) throw error;
      if (turn2 === this.#training)
        this.enqueue({ kind: 'train-failed', reason: errorMessage(error) });
    }
  }
  /** The running attempt, if it is this one. */
  running(roundId, attempt) {
    const { phase } = this.#state;
    if (phase.name !== 'session') return void 0;
    const { session } = phase;
    return session.roundId === roundId && session.slot.attempt === attempt ? session : void 0;
  }
};

// packages/node/src/sync-server.ts
var NOTHING2 = new Uint8Array(0);
var CHAIN_MAX = 64;
var ENVELOPES_MAX = 512;
var ENVELOPES_BYTES_MAX = 4 * 1024 * 1024;
async function answerSync({ header }, from, parts) {
  const request = decodeCanonical(syncRequestCodec, header, LIMITS.controlBytesMax);
  const answer = await answerOf(request, from, parts);
  return { header: NOTHING2, body: encodeCanonical(syncAnswerCodec, answer) };
}
async function answerOf(request, from, parts) {
  switch (request.kind) {
    case 'jobs':
      return { kind: 'jobs', manifests: parts.manifests().slice(0, 256) };
    case 'hold':
      try {
        await parts.hold(request.manifest, from);
        return { kind: 'held' };
      } catch (error) {
        return refused(errorMessage(error));
      }
    case 'chain': {
      const host = parts.host(request.job);
      if (host === void 0) return refused('unknown job');
      return chainFrom(host, request.fromRound);
    }
    case 'envelopes': {
      const host = parts.host(request.job);
      if (host === void 0) return refused('unknown job');
      if (request.round < roundOf(host.state)) return chainFrom(host, request.round);
      if (request.round > roundOf(host.state)) return { kind: 'envelopes', envelopes: [] };
      return { kind: 'envelopes', envelopes: lacking(host, request.have) };
    }
    default:
      return refused('unknown request');
  }
}
var chainFrom = (host, fromRound) => ({
  kind: 'chain',
  certificates: host.certificates(fromRound).slice(0, CHAIN_MAX),
});
function lacking(host, have) {
  const envelopes = [];
  let size = 0;
  for (const { bytes: bytes2 } of missingFrom(host.state.pool, have)) {
    size += bytes2.length;
    if (envelopes.length >= ENVELOPES_MAX || size > ENVELOPES_BYTES_MAX) break;
    envelopes.push(bytes2);
  }
  return envelopes;
}
var refused = (reason) => ({
  kind: 'refused',
  reason: utf8(reason.slice(0, 60)),
});

// packages/node/src/vectors.ts
var VectorStore = class {
  #words = /* @__PURE__ */ new Map();
  #bytes = /* @__PURE__ */ new Map();
  #byHash = /* @__PURE__ */ new Map();
  /** Rounds to forget at the next release: slower members may still ask for their sums. */
  #leaving = [];
  putWords(handle, words) {
    this.#words.set(handle, words);
  }
  words(handle) {
    const words = this.#words.get(handle);
    assert(words !== void 0, `no vector ${handle}`);
    return words;
  }
  putBytes(handle, bytes2, hash) {
    this.#bytes.set(handle, bytes2);
    if (hash !== void 0) this.#byHash.set(toHex(hash), handle);
  }
  bytes(handle) {
    return this.#bytes.get(handle);
  }
  byHash(hash) {
    const handle = this.#byHash.get(hash);
    return handle === void 0 ? void 0 : this.#bytes.get(handle);
  }
  /** Forgets every vector under `prefix` but one. */
  keepOnly(prefix, handle) {
    for (const other of this.#words.keys()) {
      if (other.startsWith(prefix) && other !== handle) this.#words.delete(other);
    }
  }
  /** Forgets what was released before, and marks `prefixes` to be forgotten next time. */
  release(prefixes) {
    const gone = this.#leaving;
    const isGone = (handle) => gone.some((prefix) => handle.startsWith(prefix));
    for (const handle of this.#words.keys()) if (isGone(handle)) this.#words.delete(handle);
    for (const handle of this.#bytes.keys()) if (isGone(handle)) this.#bytes.delete(handle);
    for (const [hash, handle] of this.#byHash) if (isGone(handle)) this.#byHash.delete(hash);
    this.#leaving = [...prefixes];
  }
  /** Bytes held, for status and for limits. */
  get size() {
    let size = 0;
    for (const words of this.#words.values()) size += words.byteLength;
    for (const bytes2 of this.#bytes.values()) size += bytes2.byteLength;
    return size;
  }
};

// packages/node/src/node.ts
var JOBS_MAX = 256;
var MODEL_TIMEOUT_MS = 12e4;
var NOTHING3 = new Uint8Array(0);
var StarlingNode = class {
  #parts;
  #options;
  #offers;
  #catalogue;
  #vectors = new VectorStore();
  #blobs;
  #jobs = /* @__PURE__ */ new Map();
  #leave = [];
  #stopped = false;
  constructor(parts, options, offers) {
    this.#parts = parts;
    this.#options = options;
    this.#offers = offers;
    this.#catalogue = new Catalogue(parts.journal);
    const extra = (hash) => this.#vectors.byHash(hash);
    this.#blobs = createBlobExchange({ transport: parts.transport, store: parts.blobs, extra });
  }
  /** Takes up the jobs on disk, and starts to listen. */
  async start() {
    const { transport } = this.#parts;
    transport.handle(SYNC_PROTOCOL, (parcel, from) => this.#answerSync(parcel, from));
    transport.handle(CHUNK_PROTOCOL, async (parcel, from) => this.#takeChunk(parcel, from));
    for (const { manifest, decision } of await this.#catalogue.all()) {
      const job = readJob(manifest);
      if (job !== void 0) await this.#open(job, manifest, decision);
    }
    this.#leave.push(
      transport.subscribe(jobsTopic, (manifest, from) => this.#hear(manifest, from)),
      transport.onPeerChange((peer, connected) => this.#peerChanged(peer, connected)),
    );
    for (const peer of transport.peers()) this.#peerChanged(peer, true);
  }
  async stop() {
    this.#stopped = true;
    for (const leave of this.#leave) leave();
    for (const { host, leave } of this.#jobs.values()) {
      leave();
      await host.stop();
    }
    await this.#parts.compute.close();
  }
  jobs() {
    return [...this.#jobs.values()].map((known) => report(known));
  }
  job(id) {
    const known = this.#jobs.get(id);
    return known && report(known);
  }
  /**
   * Signs and keeps a job, and hands it to other peers. Resolves when `launchCopies` of them, or all
   * if there are fewer, hold it durably: from then on the launcher may die (design decision 14c).
   */
  async launch(manifest, model) {
    const fault = manifestFault(manifest);
    if (fault !== void 0) throw new ConfigError('job', fault);
    await this.#parts.trainer.describe(model);
    const hash = await this.#parts.blobs.put(model);
    if (hash !== manifest.model) throw new ConfigError('job.model', 'is not the model given');
    const signed = signManifest(manifest, this.#parts.key);
    const job = readJob(signed);
    await this.#catalogue.add(job.id, signed);
    await this.#open(job, signed, void 0);
    const copies = await this.#handOut(signed);
    await this.#parts.transport.publish(jobsTopic, signed);
    return { job: job.id, copies, peers: this.#parts.transport.peers().length };
  }
  /** The owner of this machine agrees to a job, with a data set or the one that fits. */
  async approve(id, dataset) {
    const known = this.#known(id);
    await this.#catalogue.decide(id, { kind: 'approved', dataset });
    await this.#participate(known, dataset);
    return report(known);
  }
  async refuse(id) {
    const known = this.#known(id);
    await this.#catalogue.decide(id, { kind: 'refused' });
    known.host.participate(void 0);
    known.standing = { kind: 'refused', reason: 'refused by you' };
    return report(known);
  }
  /** The launched model and the newest certified state of a job. */
  async model(id) {
    const known = this.#known(id);
    const model = await this.#parts.blobs.get(known.job.manifest.model);
    const stateHash = stateHashOf(known.host.state);
    const state = stateHash && (await this.#parts.blobs.get(stateHash));
    if (model === void 0 || state === void 0) {
      throw new ProtocolError('not-ready', 'the model is still on its way, try again in a moment');
    }
    return { model, state, signed: known.manifest, report: report(known) };
  }
  #known(id) {
    const known = this.#jobs.get(id);
    if (known !== void 0) return known;
    throw new ConfigError('job', `no job ${id}`, '`starling jobs` lists those this node knows');
  }
  async #handOut(manifest) {
    const { transport, log } = this.#parts;
    const wanted = Math.min(this.#options.launchCopies, transport.peers().length);
    let copies = 0;
    const ask = async (peer) => {
      try {
        const answer = await askSync(
          this.#parts,
          peer,
          { kind: 'hold', manifest },
          MODEL_TIMEOUT_MS,
        );
        if (answer.kind === 'held') copies += 1;
      } catch (error) {
        log.warn('a peer did not take the job', { peer, error: errorMessage(error) });
      }
    };
    const waiting = [...transport.peers()];
    while (copies < wanted && waiting.length > 0) {
      await Promise.all(waiting.splice(0, Math.max(1, wanted - copies)).map(ask));
    }
    return copies;
  }
  #hear(manifest, from) {
    this.#inBackground(this.#learn(manifest, from));
  }
  /** A job from elsewhere: checked, fetched, kept. */
  async #learn(signed, from) {
    const job = readJob(signed);
    if (job === void 0)
      throw new ProtocolError('signature', 'manifest is not signed by its launcher');
    if (this.#jobs.has(job.id)) return;
    const fault = manifestFault(job.manifest);
    if (fault !== void 0) throw new ProtocolError('manifest', fault);
    if (this.#jobs.size >= JOBS_MAX)
      throw new ProtocolError('full', `keeps ${JOBS_MAX} jobs already`);
    const { blobs, transport } = this.#parts;
    const { model } = job.manifest;
    if (!(await blobs.has(model))) {
      const holders = [.../* @__PURE__ */ new Set([from, job.launcher, ...transport.peers()])];
      const peers = holders.filter((peer) => peer !== transport.self);
      await blobs.put(await this.#blobs.fetch(model, peers, { timeoutMs: MODEL_TIMEOUT_MS }));
    }
    if (this.#jobs.has(job.id) || this.#stopped) return;
    await this.#catalogue.add(job.id, signed);
    await this.#open(job, signed, void 0);
  }
  async #open(job, manifest, decision) {
    if (this.#jobs.has(job.id)) return;
    const { transport } = this.#parts;
    const host = new JobHost({
      node: this.#parts,
      options: this.#options,
      job,
      blobs: this.#blobs,
      vectors: this.#vectors,
      onFatal: (error) => this.#onFatal(error),
    });
    const leave = transport.subscribe(jobTopic(job.id), (bytes2, from) => {
      this.#takeGossip(host, bytes2, from);
    });
    const standing = { kind: 'waiting-for-approval', reason: 'not looked at yet' };
    const known = { job, manifest, host, leave, standing };
    this.#jobs.set(job.id, known);
    for (const peer of transport.peers())
      host.enqueue({ kind: 'reachable', peer, reachable: true });
    this.#inBackground(this.#getReady(known, decision));
  }
  async #getReady(known, decision) {
    const { trainer, blobs } = this.#parts;
    const { job, host } = known;
    try {
      const model = await blobs.get(job.manifest.model);
      if (model === void 0) throw new ProtocolError('model-missing', 'the model is not held');
      const { layout, initial } = await trainer.describe(model);
      const state = encodeState(initialState(initial, layout.parameters, FEDAVG));
      const stateHash = await blobs.put(state);
      const vectorLength = layout.parameters + layout.buffers + METRIC_COORDINATES;
      host.prepare({ vectorLength, stateHash });
    } catch (error) {
      known.standing = { kind: 'failed', reason: errorMessage(error) };
      throw error;
    }
    if (decision?.kind === 'approved') await this.#participate(known, decision.dataset);
    else if (decision?.kind === 'refused') {
      known.standing = { kind: 'refused', reason: 'refused by you' };
    } else await this.#askConsent(known);
  }
  async #askConsent(known) {
    const consent = consentTo(known.job, this.#options.policy(), this.#parts.transport.self);
    if (consent.verdict === 'start') await this.#participate(known, void 0);
    else if (consent.verdict === 'refuse')
      known.standing = { kind: 'refused', reason: consent.reason };
    else known.standing = { kind: 'waiting-for-approval', reason: consent.reason };
  }
  async #participate(known, wanted) {
    const { trainer, blobs } = this.#parts;
    const { job, host } = known;
    const { data, training, aggregation, loss } = job.manifest;
    const schema = {
      task: data.task,
      input: { dtype: 'float32', shape: data.inputShape },
      classes: data.classes,
    };
    const match =
      wanted === void 0 ? await this.#offers.match(schema) : { ok: true, dataset: wanted };
    if (!match.ok) {
      known.standing = { kind: 'no-data', reasons: match.reasons };
      return;
    }
    const model = await blobs.get(job.manifest.model);
    if (model === void 0) throw new ProtocolError('model-missing', 'the model is not held');
    try {
      const prepared = await trainer.prepare({
        modelHash: job.manifest.model,
        model,
        loss,
        training,
        clippingNorm: aggregation.clippingNorm,
        data: schema,
        dataset: match.dataset,
      });
      known.standing = { kind: 'participating', dataset: match.dataset };
      host.participate(prepared);
    } catch (error) {
      if (!(error instanceof ProtocolError || error instanceof ConfigError)) throw error;
      known.standing = { kind: 'failed', reason: errorMessage(error) };
      this.#parts.log.warn('cannot take part', { job: job.id, reason: errorMessage(error) });
    }
  }
  #takeGossip(host, bytes2, from) {
    const gossip = decodeCanonical(gossipCodec, bytes2, LIMITS.controlBytesMax);
    if (gossip.kind === 'head') {
      host.enqueue({ kind: 'head', from, round: gossip.round });
      return;
    }
    const envelope = openEnvelope(gossip.bytes);
    if (envelope !== void 0) host.receive(envelope);
  }
  /** A masked chunk for this owner; refused while it is not in the attempt, so it is sent again. */
  #takeChunk({ header, body }, from) {
    const chunk = decodeCanonical(chunkHeaderCodec, header, LIMITS.controlBytesMax);
    const roundId = toHex(chunk.roundId);
    for (const { host } of this.#jobs.values()) {
      const running = host.running(roundId, chunk.attempt);
      if (running === void 0) continue;
      const member = running.config.members.findIndex(({ peer }) => peer === from);
      if (member === -1) throw new ProtocolError('not-a-member', 'not in the roster');
      if (body.length > running.config.shape.chunkBytes)
        throw new ProtocolError('size', 'too long');
      host.session.receiveChunk(running, member, chunk, body);
      return { header: NOTHING3, body: NOTHING3 };
    }
    throw new ProtocolError('not-yet', 'not in that attempt');
  }
  #answerSync(parcel, from) {
    return answerSync(parcel, from, {
      host: (job) => this.#jobs.get(job)?.host,
      manifests: () => [...this.#jobs.values()].map(({ manifest }) => manifest),
      hold: (manifest, holder) => this.#learn(manifest, holder),
    });
  }
  #peerChanged(peer, connected) {
    for (const { host } of this.#jobs.values()) {
      host.enqueue({ kind: 'reachable', peer, reachable: connected });
    }
    if (connected) this.#inBackground(this.#askForJobs(peer));
  }
  async #askForJobs(peer) {
    const answer = await askSync(this.#parts, peer, { kind: 'jobs' });
    if (answer.kind !== 'jobs') return;
    for (const manifest of answer.manifests) await this.#learn(manifest, peer);
  }
  #inBackground(work) {
    work.catch((error) => {
      if (this.#stopped) return;
      if (error instanceof ProtocolError || error instanceof ConfigError) {
        this.#parts.log.debug('refused', { error: errorMessage(error) });
      } else this.#onFatal(error);
    });
  }
  #onFatal(error) {
    this.#parts.log.error('a bug of ours', { error: errorMessage(error) });
    this.#options.onFatal(error);
  }
};
var report = ({ job, standing, host }) => ({
  job,
  standing,
  phase: host.state.phase.name,
  certificates: host.state.chain,
});

// packages/store/src/file-blob-store.ts
// packages/store/src/files.ts
import {
  access,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rename as rename2,
  rm,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';

async function syncDirectory(directory) {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
async function writeDurably(path, temporary, bytes2, mode = 384) {
  const handle = await open(temporary, 'w', mode);
  try {
    await handle.writeFile(bytes2);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}
function errorCode(error) {
  return error instanceof Error && 'code' in error ? String(error.code) : void 0;
}
async function unlessMissing(read) {
  try {
    return await read;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return void 0;
    throw error;
  }
}

// packages/store/src/hash.ts
var OFF_LOOP_FROM_BYTES2 = 256 * 1024;
async function blobHashOf(bytes2) {
  if (bytes2.length < OFF_LOOP_FROM_BYTES2) return hashHex(bytes2);
  const digest2 = await crypto.subtle.digest('SHA-256', bytes2);
  return toHex(new Uint8Array(digest2));
}

// packages/store/src/file-blob-store.ts
var SHARD = /^[0-9a-f]{2}$/;
var FileBlobStore = class _FileBlobStore {
  #directory;
  /** A second `put` of the same bytes waits for the first: it must not resolve before the fsync. */
  #writing = /* @__PURE__ */ new Map();
  constructor(directory) {
    this.#directory = directory;
  }
  /** Opens or creates the store; half-written files of an earlier run are removed. */
  static async open(directory) {
    await rm(join(directory, 'tmp'), { recursive: true, force: true });
    await mkdir(join(directory, 'tmp'), { recursive: true, mode: 448 });
    await mkdir(join(directory, 'corrupt'), { recursive: true, mode: 448 });
    return new _FileBlobStore(directory);
  }
  async put(bytes2) {
    const hash = await blobHashOf(bytes2);
    const ongoing = this.#writing.get(hash);
    if (ongoing !== void 0) {
      await ongoing;
      return hash;
    }
    const write = this.#write(hash, bytes2).finally(() => this.#writing.delete(hash));
    this.#writing.set(hash, write);
    await write;
    return hash;
  }
  async #write(hash, bytes2) {
    if ((await this.get(hash)) !== void 0) return;
    const shard = join(this.#directory, hash.slice(0, 2));
    const first = await mkdir(shard, { recursive: true, mode: 448 });
    if (first !== void 0) await syncDirectory(this.#directory);
    await writeDurably(this.#path(hash), join(this.#directory, 'tmp', hash), bytes2);
  }
  async get(hash) {
    const file = await unlessMissing(readFile(this.#path(hash)));
    if (file === void 0) return void 0;
    const bytes2 = new Uint8Array(file.buffer, file.byteOffset, file.length);
    if ((await blobHashOf(bytes2)) === hash) return bytes2;
    const aside = join(this.#directory, 'corrupt', hash);
    await unlessMissing(rename2(this.#path(hash), aside));
    return void 0;
  }
  /** Whether a file of that name is there; only `get` proves the bytes. */
  async has(hash) {
    const there = await unlessMissing(access(this.#path(hash)).then(() => true));
    return there ?? false;
  }
  async delete(hash) {
    await rm(this.#path(hash), { force: true });
  }
  async *list() {
    const shards = (await readdir(this.#directory)).filter((name) => SHARD.test(name)).sort();
    for (const shard of shards) {
      const names = (await readdir(join(this.#directory, shard))).filter(isHash).sort();
      for (const name of names) yield name;
    }
  }
  #path(hash) {
    assert(isHash(hash), `not a blob hash: ${hash.slice(0, 80)}`);
    return join(this.#directory, hash.slice(0, 2), hash);
  }
};

// packages/store/src/level-journal.ts
import { ClassicLevel } from 'classic-level';

var LevelJournal = class _LevelJournal {
  #level;
  constructor(level) {
    this.#level = level;
  }
  /** Opens or creates the journal; a second process that opens it gets an error. */
  static async open(directory) {
    const level = new ClassicLevel(directory, {
      keyEncoding: 'view',
      valueEncoding: 'view',
    });
    await level.open();
    return new _LevelJournal(level);
  }
  async put(key, value) {
    await this.#level.put(keyBytes(key), value, { sync: true });
  }
  async get(key) {
    const value = await this.#level.get(keyBytes(key));
    return value === void 0 ? void 0 : new Uint8Array(value);
  }
  async *entries(prefix) {
    for await (const [key, value] of this.#level.iterator(rangeOf(prefix))) {
      yield [keyText(key), new Uint8Array(value)];
    }
  }
  async deletePrefix(prefix) {
    const keys = await this.#level.keys(rangeOf(prefix)).all();
    await this.#level.batch(
      keys.map((key) => ({ type: 'del', key })),
      { sync: true },
    );
  }
  async close() {
    await this.#level.close();
  }
};
function keyBytes(key) {
  const out = new Uint8Array(2 * key.length);
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i);
    out[2 * i] = unit >>> 8;
    out[2 * i + 1] = unit & 255;
  }
  return out;
}
function keyText(bytes2) {
  let out = '';
  for (let i = 0; i < bytes2.length; i += 2) {
    out += String.fromCharCode((bytes2[i] << 8) | bytes2[i + 1]);
  }
  return out;
}
function rangeOf(prefix) {
  const gte = keyBytes(prefix);
  const last = gte.findLastIndex((byte) => byte !== 255);
  if (last < 0) return { gte };
  const lt = gte.slice(0, last + 1);
  lt[last] += 1;
  return { gte, lt };
}

// packages/store/src/state-directory.ts
// packages/store/src/lock.ts
import {
  chmod,
  link,
  mkdir as mkdir2,
  readFile as readFile2,
  readFile as readFile3,
  rm as rm2,
  rm as rm3,
  writeFile,
} from 'node:fs/promises';
import { join as join2, join as join3 } from 'node:path';

var drafts = 0;
async function takeLock(directory) {
  const path = join2(directory, 'lock');
  const own = JSON.stringify({ pid: process.pid, started: await startOf(process.pid) });
  const draft = join2(directory, `lock.${process.pid}.${++drafts}`);
  await writeFile(draft, own, { mode: 384 });
  try {
    for (let attempt = 0; attempt < 3; attempt++) {
      if (await linked(draft, path)) return () => release(path, own);
      const holder = await holderOf(path);
      if (holder !== void 0 && (await isAlive(holder))) throw heldBy(directory, holder);
      await rm2(path, { force: true });
    }
  } finally {
    await rm2(draft, { force: true });
  }
  throw new ConfigError('stateDirectory', `cannot lock ${directory}: others keep taking it`);
}
function heldBy(directory, { pid }) {
  return new ConfigError(
    'stateDirectory',
    `${directory} is in use by process ${pid}`,
    `Stop that daemon first (kill ${pid}) or choose another state directory`,
  );
}
async function release(path, own) {
  const current = await unlessMissing(readFile2(path, 'utf8'));
  if (current === own) await rm2(path, { force: true });
}
async function linked(draft, path) {
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}
async function holderOf(path) {
  const text = await unlessMissing(readFile2(path, 'utf8'));
  const match = /^\{"pid":(\d+),"started":(?:null|"(\d+)")\}$/.exec(text ?? '');
  return match === null ? void 0 : { pid: Number(match[1]), started: match[2] ?? null };
}
async function isAlive({ pid, started }) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (errorCode(error) !== 'EPERM') return false;
  }
  const now = await startOf(pid);
  return started === null || now === null || started === now;
}
async function startOf(pid) {
  try {
    const stat = await readFile2(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

// packages/store/src/state-directory.ts
var VERSION2 = '1';
var SEED_BYTES = 32;
async function openStateDirectory(path, random) {
  await makeWritable(path);
  const release2 = await takeLock(path);
  try {
    await checkVersion(path);
    return {
      path,
      identitySeed: await identitySeed(path, random),
      blobs: join3(path, 'blobs'),
      journal: join3(path, 'journal'),
      peers: join3(path, 'peers'),
      close: release2,
    };
  } catch (error) {
    await release2();
    throw error;
  }
}
var probes = 0;
async function makeWritable(path) {
  const probe = join3(path, `probe.${process.pid}.${++probes}`);
  try {
    const created = await mkdir2(path, { recursive: true, mode: 448 });
    if (created !== void 0) await chmod(path, 448);
    await writeDurably(probe, `${probe}.tmp`, utf8('probe'));
    await rm3(probe, { force: true });
  } catch (error) {
    throw new ConfigError(
      'stateDirectory',
      `cannot write to ${path} (${errorMessage(error)})`,
      adviceOn(error),
    );
  }
}
function adviceOn(error) {
  switch (errorCode(error)) {
    case 'ENOSPC':
      return 'Free some disk space, or choose another state directory';
    case 'EROFS':
      return 'The file system is mounted read-only; choose another state directory';
    case 'ENOTDIR':
    case 'EEXIST':
      return 'A file is in the way; remove it or choose another state directory';
    default:
      return 'Give this user the right to write there, or choose another state directory';
  }
}
async function checkVersion(path) {
  const file = join3(path, 'version');
  const found = (await unlessMissing(readFile3(file, 'utf8')))?.trim();
  if (found === void 0)
    await writeDurably(
      file,
      `${file}.tmp`,
      utf8(`${VERSION2}
`),
    );
  else if (found !== VERSION2) {
    throw new ConfigError(
      'stateDirectory',
      `${path} has layout version "${found.slice(0, 20)}", this release reads ${VERSION2}`,
      'Run the release that wrote it, or choose another state directory',
    );
  }
}
async function identitySeed(path, random) {
  const file = join3(path, 'identity');
  const found = await unlessMissing(readFile3(file));
  if (found === void 0) {
    const seed = random.bytes(SEED_BYTES);
    await writeDurably(file, `${file}.tmp`, seed);
    return seed;
  }
  if (found.length !== SEED_BYTES) {
    throw new ConfigError(
      'stateDirectory',
      `${file} has ${found.length} bytes, not ${SEED_BYTES}`,
      'Restore it from a copy, or choose another state directory to start as a new peer',
    );
  }
  return new Uint8Array(found);
}

// packages/swarm/src/polyfill.ts
function withResolvers() {
  let resolve2;
  let reject;
  const promise = new this((onResolve, onReject) => {
    resolve2 = onResolve;
    reject = onReject;
  });
  return { promise, resolve: resolve2, reject };
}
if (!('withResolvers' in Promise)) {
  Object.defineProperty(Promise, 'withResolvers', {
    configurable: true,
    writable: true,
    value: withResolvers,
  });
}

// packages/swarm/src/swarm.ts
import { multiaddr as multiaddr3 } from '@multiformats/multiaddr';
import { LevelDatastore } from 'datastore-level';

// packages/swarm/src/deadline.ts
async function withDeadline(clock, ms, what, work) {
  const controller = new AbortController();
  const late = new ProtocolError('timeout', `${what}: nothing within ${ms} ms`);
  const cancel = clock.setTimer(millis(ms), () => controller.abort(late));
  try {
    return await work(controller.signal);
  } catch (error) {
    throw controller.signal.aborted ? late : error;
  } finally {
    cancel();
  }
}

// packages/swarm/src/framed-stream.ts
import { Uint8ArrayList } from 'uint8arraylist';

var PREFIX_BYTES = 5;
var READ_HIGH_BYTES = 1024 * 1024;
var WRITE_HIGH_BYTES = 1024 * 1024;
var FramedStream = class {
  #stream;
  #received = new Uint8ArrayList();
  /** Bytes that the reader waits for. */
  #wanted = 0;
  #paused = false;
  #ended = false;
  #closed = false;
  #error;
  #wake = () => {};
  /** Call it in the turn in which the stream was got: without a listener libp2p resets it. */
  constructor(stream) {
    this.#stream = stream;
    stream.addEventListener('message', ({ data }) => {
      this.#received.append(data);
      this.#pauseWhenFull();
      this.#wake();
    });
    stream.addEventListener('end', () => {
      this.#ended = true;
      this.#wake();
    });
    stream.addEventListener('close', ({ error }) => {
      this.#closed = true;
      this.#error = error;
      this.#wake();
    });
  }
  /** Whether nothing more can be exchanged; an idle stream that is closed is of no use. */
  get closed() {
    return this.#closed || this.#ended || this.#stream.status !== 'open';
  }
  /** Bytes that came and were not read yet. */
  get unreadBytes() {
    return this.#received.byteLength + this.#stream.readBufferLength;
  }
  /** Bytes that were written and that the connection has not taken yet. */
  get unsentBytes() {
    return this.#stream.writeBufferLength;
  }
  /**
   * The next frame; undefined when the other side closed between two frames. That is no proof that
   * it had no more to say: a killed peer looks the same, so messages need their own end marker.
   * @throws ProtocolError 'connection-lost' or 'malformed', or the signal's reason
   */
  async read(signal) {
    if (!(await this.#need(PREFIX_BYTES, signal))) return void 0;
    const prefix = this.#received.subarray(0, PREFIX_BYTES);
    const length = new DataView(prefix.buffer, prefix.byteOffset).getUint32(0);
    if (length > LIMITS.frameBytesMax) {
      throw new ProtocolError('malformed', `frame of ${length} bytes`);
    }
    const size = PREFIX_BYTES + length;
    if (!(await this.#need(size, signal))) throw this.#lost();
    const payload = this.#received.slice(PREFIX_BYTES, size);
    this.#received.consume(size);
    return { kind: prefix[4], payload };
  }
  /**
   * Sends the frames in one go and waits until most of it has left. The payloads are not copied:
   * they must stay as they are until the stream has sent them.
   * @throws ProtocolError 'connection-lost', or the signal's reason
   */
  async write(frames, signal) {
    const out = new Uint8ArrayList();
    for (const { kind, payload } of frames) {
      out.append(u32be(payload.length));
      out.append(Uint8Array.of(kind));
      out.append(payload);
    }
    try {
      this.#stream.send(out);
    } catch (error) {
      this.#error ??= error instanceof Error ? error : void 0;
      throw this.#lost();
    }
    await this.#drained(signal);
  }
  /** Ends our direction; both sides must, else the stream counts against the limits for ever. */
  async close(signal) {
    await this.#stream.close(signal === void 0 ? {} : { signal });
  }
  abort(reason) {
    this.#stream.abort(reason);
  }
  /** True once `size` bytes are here; false at the end of the stream, if it ends between frames. */
  async #need(size, signal) {
    this.#wanted = size;
    while (this.#received.byteLength < size) {
      this.#resume();
      if (this.#received.byteLength >= size) break;
      if (this.#error !== void 0) throw this.#lost();
      if (this.#ended || (this.#closed && this.#stream.readBufferLength === 0)) {
        if (this.#received.byteLength > 0) throw this.#lost();
        return false;
      }
      await this.#event(signal);
    }
    this.#wanted = 0;
    return true;
  }
  #pauseWhenFull() {
    if (this.#paused || this.#received.byteLength <= Math.max(READ_HIGH_BYTES, this.#wanted))
      return;
    this.#paused = true;
    queueMicrotask(() => {
      if (this.#paused && !this.#closed && this.#stream.status === 'open') this.#stream.pause();
    });
  }
  /** Dispatches what the paused stream held, synchronously. */
  #resume() {
    if (!this.#paused) return;
    this.#paused = false;
    const { readStatus } = this.#stream;
    if (readStatus !== 'closed' && readStatus !== 'closing') this.#stream.resume();
  }
  #event(signal) {
    return new Promise((resolve2, reject) => {
      const settle = (outcome) => {
        this.#wake = () => {};
        signal?.removeEventListener('abort', onAbort);
        outcome();
      };
      const onAbort = () => settle(() => reject(signal?.reason));
      if (signal?.aborted) return reject(signal.reason);
      signal?.addEventListener('abort', onAbort);
      this.#wake = () => settle(resolve2);
    });
  }
  /**
   * Waits on the buffer's length. `onDrain()` never renews its promise (@libp2p/utils 7.4.1), and
   * one `drain` event does not mean that the buffer is empty.
   */
  async #drained(signal) {
    while (this.#stream.writeBufferLength > WRITE_HIGH_BYTES) {
      if (this.#closed || this.#stream.writeStatus === 'closed') throw this.#lost();
      await this.#room(signal);
    }
  }
  #room(signal) {
    const events = ['drain', 'idle', 'close'];
    return new Promise((resolve2, reject) => {
      const settle = (outcome) => {
        for (const event of events) this.#stream.removeEventListener(event, onEvent);
        signal?.removeEventListener('abort', onAbort);
        outcome();
      };
      const onEvent = () => settle(resolve2);
      const onAbort = () => settle(() => reject(signal?.reason));
      if (signal?.aborted) return reject(signal.reason);
      for (const event of events) this.#stream.addEventListener(event, onEvent);
      signal?.addEventListener('abort', onAbort);
    });
  }
  #lost() {
    const cause = this.#error === void 0 ? 'ended early' : errorMessage(this.#error);
    return new ProtocolError('connection-lost', `the stream was lost: ${cause}`);
  }
};

// packages/swarm/src/identity.ts
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
// packages/swarm/src/gossip.ts
import { TopicValidatorResult } from '@libp2p/gossipsub';
import { peerIdFromString } from '@libp2p/peer-id';

async function privateKeyOf(seed) {
  if (seed.length !== 32) throw new ConfigError('seed', `${seed.length} bytes, want 32`);
  return generateKeyPairFromSeed('Ed25519', seed);
}
function peerOf(remote) {
  return parsePeerId(remote.toString());
}
function remoteOf(peer) {
  assert(parsePeerId(peer) !== void 0, `not a peer id: ${peer.slice(0, 80)}`);
  return peerIdFromString(peer);
}

// packages/swarm/src/gossip.ts
var Gossip = class {
  #pubsub;
  #ids;
  #log;
  #handlers = /* @__PURE__ */ new Map();
  constructor(pubsub, ids, log) {
    this.#pubsub = pubsub;
    this.#ids = ids;
    this.#log = log;
    pubsub.addEventListener('message', ({ detail }) => this.#deliver(detail));
  }
  /** @throws ProtocolError 'too-large': beyond 4 MiB gossipsub drops a message without a word */
  async publish(topic, message) {
    if (message.length > LIMITS.controlBytesMax) {
      const size = `${message.length} bytes, at most ${LIMITS.controlBytesMax}`;
      throw new ProtocolError('too-large', `gossip of ${size}`);
    }
    await this.#pubsub.publish(this.#ids.topic(topic), message);
  }
  subscribe(topic, handle) {
    const name = this.#ids.topic(topic);
    const entry2 = (message, from) => handle(message, from);
    const handlers = this.#handlers.get(name) ?? /* @__PURE__ */ new Set();
    handlers.add(entry2);
    if (!this.#handlers.has(name)) {
      this.#handlers.set(name, handlers);
      this.#pubsub.topicValidators.set(name, validate);
      this.#pubsub.subscribe(name);
    }
    return () => {
      if (!handlers.delete(entry2) || handlers.size > 0) return;
      this.#handlers.delete(name);
      this.#pubsub.topicValidators.delete(name);
      this.#pubsub.unsubscribe(name);
    };
  }
  status() {
    return [...this.#handlers.keys()].map((topic) => ({
      topic,
      subscribers: this.#pubsub.getSubscribers(topic).length,
      mesh: hasMesh(this.#pubsub) ? this.#pubsub.getMeshPeers(topic).length : 0,
    }));
  }
  #deliver(message) {
    const handlers = this.#handlers.get(message.topic);
    if (handlers === void 0 || message.type !== 'signed') return;
    const from = peerOf(message.from);
    if (from === void 0) return;
    for (const handle of handlers) {
      try {
        handle(message.data, from);
      } catch (error) {
        const { topic } = message;
        this.#log.error('a gossip handler threw', { topic, reason: errorMessage(error) });
      }
    }
  }
};
function validate(_peer, { data }) {
  const fits = data.length <= LIMITS.controlBytesMax;
  return fits ? TopicValidatorResult.Accept : TopicValidatorResult.Reject;
}
function hasMesh(pubsub) {
  return 'getMeshPeers' in pubsub;
}

// packages/swarm/src/gossip-medic.ts
var RETRY_MS2 = 1e3;
var GossipMedic = class {
  #node;
  #clock;
  #options;
  #patients = /* @__PURE__ */ new Map();
  constructor(node, clock, options) {
    this.#node = node;
    this.#clock = clock;
    this.#options = options;
  }
  /** Looks at every connected peer once; call it a few times a second. */
  visit(connected) {
    const now = this.#clock.now();
    const healthy = this.#withStream();
    const ill = new Set(connected.filter((peer) => !healthy.has(peer)));
    for (const peer of this.#patients.keys()) {
      if (!ill.has(peer)) this.#patients.delete(peer);
    }
    for (const peer of ill) {
      const patient = this.#patients.get(peer);
      if (patient === void 0) this.#patients.set(peer, { since: now, treatedAt: now });
      else if (now - patient.since >= this.#options.patienceMs) {
        this.#patients.delete(peer);
        this.#options.hangUp(peer);
      } else if (now - patient.treatedAt >= RETRY_MS2) {
        patient.treatedAt = now;
        this.#identifyAgain(peer);
      }
    }
  }
  /** To gossipsub a peer that identifies itself is a peer that connects: it opens a stream. */
  #identifyAgain(peer) {
    for (const connection of this.#node.getConnections(remoteOf(peer))) {
      if (connection.status !== 'open') continue;
      const signal = AbortSignal.timeout(this.#options.patienceMs);
      this.#node.services.identify.identify(connection, { signal }).catch(() => {});
    }
  }
  /** Peers to which a gossip stream of ours is open. */
  #withStream() {
    const protocols = new Set(this.#node.services.pubsub.protocols);
    const found = /* @__PURE__ */ new Set();
    for (const { remotePeer, streams } of this.#node.getConnections()) {
      const open2 = streams.some(
        ({ protocol, direction, status: status2 }) =>
          direction === 'outbound' && status2 === 'open' && protocols.has(protocol),
      );
      const peer = open2 ? peerOf(remotePeer) : void 0;
      if (peer !== void 0) found.add(peer);
    }
    return found;
  }
};

// packages/swarm/src/keeper.ts
import { multiaddr } from '@multiformats/multiaddr';

// packages/swarm/src/known-peers.ts
var GREATER_WAITS_MS = 1e3;
var REPORTED_MAX = 20;
var KNOWN_MAX = 1024;
var ALIVE_FAILURES_MAX = 3;
var FULL_MESH_MAX = 16;
var CONNECTIONS_MIN = 6;
var KnownPeers = class {
  #options;
  #targets = /* @__PURE__ */ new Map();
  constructor(options) {
    this.#options = options;
  }
  get size() {
    return this.#targets.size;
  }
  /** Takes note of a peer; false when it was known. */
  learn(peer, now) {
    const { self } = this.#options;
    if (peer === self || this.#targets.has(peer)) return false;
    if (this.#targets.size >= KNOWN_MAX) this.#forgetWorst();
    const dueAt = self < peer ? now : now + GREATER_WAITS_MS;
    this.#targets.set(peer, newTarget(dueAt));
    return true;
  }
  get(peer) {
    return this.#targets.get(peer);
  }
  /** How many of `connected` and more we want. */
  wanted(connected) {
    const alive = [...this.#targets].filter(
      ([peer, { failures }]) => connected.has(peer) || failures < ALIVE_FAILURES_MAX,
    ).length;
    return alive < FULL_MESH_MAX ? alive : CONNECTIONS_MIN;
  }
  /** Whom to dial now, the most promising first, at most `count`. */
  due(connected, now, count) {
    return [...this.#targets]
      .filter(([peer, { dueAt, dialling }]) => !dialling && dueAt <= now && !connected.has(peer))
      .map((entry2) => ({ entry: entry2, lot: this.#lot() }))
      .sort((a, b) => a.entry[1].failures - b.entry[1].failures || a.lot - b.lot)
      .slice(0, Math.max(0, count))
      .map(({ entry: entry2 }) => entry2);
  }
  succeeded(target) {
    target.failures = 0;
    target.lastError = void 0;
  }
  /** Doubles the wait, give or take a quarter, so that a swarm does not redial in step. */
  failed(target, reason, now) {
    const { firstMs, maxMs } = this.#options.redial;
    const wait = Math.min(maxMs, firstMs * 2 ** Math.min(target.failures, 20));
    target.failures++;
    target.lastError = reason;
    target.dueAt = now + wait * (0.75 + this.#lot() / 2);
  }
  /** For the doctor: who could not be reached, and why. */
  unreachable() {
    return [...this.#targets]
      .flatMap(([peer, { failures, lastError }]) =>
        lastError === void 0 ? [] : [{ peer, failures, lastError }],
      )
      .sort((a, b) => b.failures - a.failures)
      .slice(0, REPORTED_MAX);
  }
  /** A number in 0…1. */
  #lot() {
    const [high, low] = this.#options.random.bytes(2);
    return (high * 256 + low) / 65535;
  }
  #forgetWorst() {
    let worst;
    for (const entry2 of this.#targets) {
      if (worst === void 0 || entry2[1].failures > worst[1].failures) worst = entry2;
    }
    if (worst !== void 0) this.#targets.delete(worst[0]);
  }
};
var newTarget = (dueAt) => ({
  attempts: 0,
  failures: 0,
  dueAt,
  dialling: false,
  lastError: void 0,
});

// packages/swarm/src/keeper.ts
var TICK_MS = 250;
var DIALS_MAX = 4;
var WALK_FIRST_MS = 500;
var WALK_MAX_MS = 6e4;
var Keeper = class {
  #parts;
  #bootstrap;
  #cancelTick = () => {};
  #stopped = false;
  #walking = false;
  #walkAt = 0;
  #walkWaitMs = WALK_FIRST_MS;
  constructor(parts, bootstrap) {
    this.#parts = parts;
    this.#bootstrap = bootstrap.map((address) => ({
      ...newTarget(0),
      address,
      peer: peerInAddress(address),
    }));
  }
  start() {
    this.#tick();
  }
  stop() {
    this.#stopped = true;
    this.#cancelTick();
  }
  /** Someone new: there may be more behind it. */
  lookAround() {
    this.#walkWaitMs = WALK_FIRST_MS;
    this.#walkAt = Math.min(this.#walkAt, this.#parts.clock.now() + WALK_FIRST_MS);
  }
  bootstrapStatus() {
    const connected = new Set(this.#parts.connected());
    return this.#bootstrap.map(({ address, peer, attempts, lastError }) => ({
      address,
      connected: peer !== void 0 && connected.has(peer),
      attempts,
      ...(lastError === void 0 ? {} : { lastError }),
    }));
  }
  #tick() {
    if (this.#stopped) return;
    const now = this.#parts.clock.now();
    const connected = new Set(this.#parts.connected());
    this.#dialBootstrap(connected, now);
    this.#dialKnown(connected, now);
    if (connected.size > 0 && now >= this.#walkAt && !this.#walking) void this.#walk();
    this.#parts.heal();
    this.#cancelTick = this.#parts.clock.setTimer(millis(TICK_MS), () => this.#tick());
  }
  #dialBootstrap(connected, now) {
    for (const entry2 of this.#bootstrap) {
      const here = entry2.peer !== void 0 && connected.has(entry2.peer);
      if (here) this.#parts.known.succeeded(entry2);
      if (here || entry2.dialling || entry2.dueAt > now) continue;
      void this.#dial(entry2, { address: entry2.address }).then((peer) => {
        entry2.peer = peer ?? entry2.peer;
      });
    }
  }
  #dialKnown(connected, now) {
    const missing = this.#parts.known.wanted(connected) - connected.size;
    const due = this.#parts.known.due(connected, now, Math.min(missing, DIALS_MAX));
    for (const [peer, target] of due) void this.#dial(target, peer);
  }
  /** Never rejects: a failure is a reason in the status and a later attempt. */
  async #dial(target, whom) {
    const { known, clock } = this.#parts;
    target.dialling = true;
    target.attempts++;
    try {
      const peer = await this.#parts.dial(whom);
      known.succeeded(target);
      return peer;
    } catch (error) {
      if (!this.#stopped) known.failed(target, errorMessage(error), clock.now());
      return void 0;
    } finally {
      target.dialling = false;
    }
  }
  async #walk() {
    this.#walking = true;
    const before = this.#parts.known.size;
    try {
      await this.#parts.walk();
    } catch (error) {
      this.#parts.log.debug('a walk through the DHT failed', { reason: errorMessage(error) });
    }
    const learnt = this.#parts.known.size > before;
    this.#walkWaitMs = learnt ? WALK_FIRST_MS : Math.min(WALK_MAX_MS, 2 * this.#walkWaitMs);
    this.#walkAt = this.#parts.clock.now() + this.#walkWaitMs;
    this.#walking = false;
  }
};
function peerInAddress(address) {
  const last = multiaddr(address)
    .getComponents()
    .findLast(({ name }) => name === 'p2p');
  return last?.value;
}

// packages/swarm/src/libp2p-node.ts
import { noise } from '@chainsafe/libp2p-noise';
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2';
import { gossipsub, StrictSign } from '@libp2p/gossipsub';
import { identify } from '@libp2p/identify';
import { FaultTolerance } from '@libp2p/interface';
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht';
import { mdns } from '@libp2p/mdns';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { createLibp2p } from 'libp2p';

var WINDOW_BYTES = 4 * 1024 * 1024;
var GOSSIP_BUFFER_BYTES = 64 * LIMITS.controlBytesMax;
async function createNode(options, ids, datastore) {
  const { listen, announce, monitor } = options;
  return createLibp2p({
    start: false,
    privateKey: await privateKeyOf(options.seed),
    ...(datastore === void 0 ? {} : { datastore }),
    addresses: { listen: [...listen], announce: [...announce] },
    // A relay that is down must not stop the start; a TCP port that is taken must.
    transportManager: {
      faultTolerance: listen.some((address) => address.includes('/p2p-circuit'))
        ? FaultTolerance.NO_FATAL
        : FaultTolerance.FATAL_ALL,
    },
    transports: [
      tcp({ dialOpts: { noDelay: true }, listenOpts: { noDelay: true } }),
      circuitRelayTransport(),
    ],
    connectionEncrypters: [noise()],
    streamMuxers: [
      yamux({
        streamOptions: {
          // The window may grow to 16 MiB by default, above the read buffer of 4 MiB: a paused
          // stream is then reset. The buffer must hold a whole window.
          maxStreamWindowSize: WINDOW_BYTES,
          maxReadBufferLength: 2 * WINDOW_BYTES,
        },
      }),
    ],
    connectionManager: {
      // 5 connections a second per source address by default: peers behind one NAT are refused.
      inboundConnectionThreshold: 1e3,
      maxIncomingPendingConnections: 256,
    },
    connectionMonitor: {
      pingInterval: monitor.intervalMs,
      pingTimeout: { minTimeout: monitor.timeoutMs, maxTimeout: monitor.timeoutMs },
    },
    peerDiscovery: options.mdns ? [mdns({ serviceTag: ids.mdns })] : [],
    services: {
      identify: identify(),
      // The DHT and the connection monitor ping over the same protocol, of which one stream each
      // way is allowed by default: when they meet, the monitor ABORTS the healthy connection.
      ping: ping({ maxInboundStreams: 16, maxOutboundStreams: 16 }),
      dht: kadDHT({
        protocol: ids.dht,
        // Unset means client until a public address is seen: on a LAN nobody would answer.
        clientMode: false,
        // The default drops private addresses: routing tables on a LAN would stay empty.
        peerInfoMapper: passthroughMapper,
        // Defaults (20, 10, 10) make every node dial almost every other: the join storm.
        kBucketSize: 8,
        alpha: 3,
        disjointPaths: 2,
        initialQuerySelfInterval: 1e3,
      }),
      pubsub: gossipsub({
        // Why messages are signed twice: see `Gossip`.
        globalSignaturePolicy: StrictSign,
        fallbackToFloodsub: false,
        allowPublishToZeroTopicPeers: true,
        // The default silently greylists everybody once more than ten peers share an address.
        scoreParams: { IPColocationFactorWeight: 0 },
        // Unbounded by default: a hung subscriber would take all memory. `Gossip` reopens.
        maxOutboundBufferSize: GOSSIP_BUFFER_BYTES,
      }),
    },
  });
}

// packages/swarm/src/options.ts
import { multiaddr as multiaddr2 } from '@multiformats/multiaddr';

var MONITOR = { intervalMs: 1e4, timeoutMs: 8e3 };
var REDIAL = { firstMs: 500, maxMs: 3e4 };
var NETWORK = /^[a-z0-9][a-z0-9-]{0,47}$/;
function checkOptions(options) {
  const { monitor = MONITOR, redial = REDIAL } = options;
  if (!NETWORK.test(options.network)) {
    const hint = 'Use 1 to 48 small letters, digits and hyphens';
    throw new ConfigError('network', `"${options.network.slice(0, 80)}" is not a name`, hint);
  }
  if (!(monitor.timeoutMs > 0 && monitor.timeoutMs < monitor.intervalMs)) {
    const got = `timeoutMs ${monitor.timeoutMs} with intervalMs ${monitor.intervalMs}`;
    throw new ConfigError('monitor', got, 'The timeout must be positive and below the interval');
  }
  if (!(redial.firstMs > 0 && redial.firstMs <= redial.maxMs)) {
    throw new ConfigError('redial', 'firstMs must be positive and at most maxMs');
  }
  checkAddresses('listen', options.listen);
  checkAddresses('announce', options.announce ?? []);
  checkAddresses('bootstrap', options.bootstrap ?? []);
  return {
    ...options,
    monitor,
    redial,
    announce: options.announce ?? [],
    bootstrap: options.bootstrap ?? [],
    mdns: options.mdns ?? false,
    datastore: options.datastore,
  };
}
function checkAddresses(key, addresses) {
  for (const address of addresses) {
    try {
      multiaddr2(address);
    } catch (error) {
      const hint = 'An address looks like /ip4/192.0.2.1/tcp/4001/p2p/12D3KooW\u2026';
      throw new ConfigError(key, `"${address}" (${errorMessage(error)})`, hint);
    }
  }
}

// packages/swarm/src/peers.ts
var Peers = class {
  #node;
  #membership;
  #log;
  #connected = /* @__PURE__ */ new Set();
  #foreign = /* @__PURE__ */ new WeakSet();
  #listeners = /* @__PURE__ */ new Set();
  constructor(node, membership, log) {
    this.#node = node;
    this.#membership = membership;
    this.#log = log;
    node.addEventListener('peer:identify', ({ detail }) => {
      this.#onIdentified(detail.peerId, detail.protocols, detail.connection);
    });
    node.addEventListener('peer:disconnect', ({ detail }) => this.#onGone(detail));
  }
  all() {
    return [...this.#connected];
  }
  has(peer) {
    return this.#connected.has(peer);
  }
  onChange(listener) {
    const entry2 = (peer, connected) => listener(peer, connected);
    this.#listeners.add(entry2);
    return () => this.#listeners.delete(entry2);
  }
  /** Resolves when the peer behind a new connection has shown that it is one of us. */
  admitted(connection, signal) {
    const peer = peerOf(connection.remotePeer);
    if (peer === void 0) throw otherNetwork(connection.remotePeer.toString());
    if (this.has(peer)) return Promise.resolve(peer);
    return new Promise((resolve2, reject) => {
      const settle = (outcome) => {
        stopListening();
        connection.removeEventListener('close', onClose);
        signal.removeEventListener('abort', onAbort);
        outcome();
      };
      const onClose = () =>
        settle(() =>
          reject(
            this.#foreign.has(connection)
              ? otherNetwork(peer)
              : new ProtocolError('connection-lost', `${peer} hung up`),
          ),
        );
      const onAbort = () => settle(() => reject(signal.reason));
      const stopListening = this.onChange((changed, connected) => {
        if (changed === peer && connected) settle(() => resolve2(peer));
      });
      connection.addEventListener('close', onClose);
      signal.addEventListener('abort', onAbort);
      if (connection.status !== 'open') onClose();
    });
  }
  #onIdentified(remote, protocols, connection) {
    const peer = peerOf(remote);
    if (peer === void 0 || !protocols.includes(this.#membership)) {
      this.#foreign.add(connection);
      this.#log.debug('hung up on a peer of another swarm', { peer: remote.toString() });
      connection.abort(new Error('a peer of another swarm'));
      return;
    }
    if (this.#connected.has(peer) || this.#node.getConnections(remote).length === 0) return;
    this.#connected.add(peer);
    this.#tell(peer, true);
  }
  #onGone(remote) {
    const peer = peerOf(remote);
    if (peer !== void 0 && this.#connected.delete(peer)) this.#tell(peer, false);
  }
  #tell(peer, connected) {
    for (const listener of [...this.#listeners]) {
      try {
        listener(peer, connected);
      } catch (error) {
        this.#log.error('a peer listener threw', { peer, reason: errorMessage(error) });
      }
    }
  }
};
var otherNetwork = (peer) => new ProtocolError('other-network', `${peer} is of another swarm`);

// packages/swarm/src/protocol-ids.ts
function protocolIds(network) {
  return {
    membership: `/starling/swarm/1/${network}`,
    dht: `/starling/kad/1.0.0/${network}`,
    mdns: `_starling-${network}._udp.local`,
    direct: (protocol) => `${protocol}/${network}`,
    topic: (topic) => `/starling/${network}/${topic}`,
  };
}

// packages/swarm/src/providers.ts
import { CID } from 'multiformats/cid';
import * as raw from 'multiformats/codecs/raw';
import { create as digestOf } from 'multiformats/hashes/digest';

var SHA2_256 = 18;
var KEY_BYTES = 32;
var PROVIDE_TIMEOUT_MS = 3e4;
var WALK_TIMEOUT_MS = 5e3;
var Providers = class {
  #parts;
  constructor(parts) {
    this.#parts = parts;
  }
  /** @throws ProtocolError 'timeout' when no peer could be told in time */
  async provide(key) {
    const cid = cidOf(key);
    await withDeadline(this.#parts.clock, PROVIDE_TIMEOUT_MS, 'provide', async (signal) => {
      await drain(this.#parts.dht.provide(cid, { signal }));
      if (signal.aborted) throw signal.reason;
    });
  }
  /** What was found within the time, which may be nothing; ourselves left out. */
  async findProviders(key, { timeoutMs }) {
    const found = /* @__PURE__ */ new Set();
    const cid = cidOf(key);
    await untilLate(this.#parts.clock, timeoutMs, async (signal) => {
      for await (const event of this.#parts.dht.findProviders(cid, { signal })) {
        if (event.name !== 'PROVIDER' && event.name !== 'PEER_RESPONSE') continue;
        for (const { id } of event.providers) {
          const peer = peerOf(id);
          if (peer !== void 0 && peer !== this.#parts.self) found.add(peer);
        }
      }
    });
    return [...found];
  }
  /** Asks for the neighbours of a random point: every peer it names enters the peer store. */
  async walk() {
    const point = this.#parts.random.bytes(KEY_BYTES);
    await untilLate(this.#parts.clock, WALK_TIMEOUT_MS, (signal) =>
      drain(this.#parts.dht.getClosestPeers(point, { signal })),
    );
  }
  routingTableSize() {
    const { dht } = this.#parts;
    return hasTable(dht) ? dht.routingTable.size : 0;
  }
};
function cidOf(key) {
  assert(key.length === KEY_BYTES, `key of ${key.length} bytes`);
  return CID.createV1(raw.code, digestOf(SHA2_256, key));
}
async function drain(events) {
  for await (const _event of events);
}
async function untilLate(clock, ms, query) {
  try {
    await withDeadline(clock, ms, 'query', query);
  } catch (error) {
    if (!(error instanceof ProtocolError && error.code === 'timeout')) throw error;
  }
}
function hasTable(dht) {
  return 'routingTable' in dht;
}

// packages/swarm/src/parcels.ts
import { createHash } from 'node:crypto';

var KIND = { header: 1, body: 2, end: 3, refusal: 4 };
var BODY_FRAME_BYTES = 256 * 1024;
var REASON_BYTES_MAX = 1024;
var SIZE_BYTES = 4;
var FIRST_BUFFER_BYTES = 1024 * 1024;
function checkParcel({ header, body }, bodyBytesMax) {
  if (header.length > LIMITS.controlBytesMax || body.length > bodyBytesMax) {
    const sizes = `header of ${header.length} bytes, body of ${body.length}`;
    const limits = `at most ${LIMITS.controlBytesMax} and ${bodyBytesMax}`;
    throw new ProtocolError('too-large', `${sizes}; ${limits}`);
  }
}
async function writeParcel({ header, body }, write) {
  const hash = createHash('sha256');
  const head = new Uint8Array(SIZE_BYTES + header.length);
  head.set(u32be(body.length));
  head.set(header, SIZE_BYTES);
  hash.update(head);
  let pending = [{ kind: KIND.header, payload: head }];
  for (let at = 0; at < body.length; at += BODY_FRAME_BYTES) {
    const payload = body.subarray(at, at + BODY_FRAME_BYTES);
    hash.update(payload);
    await write([...pending, { kind: KIND.body, payload }]);
    pending = [];
  }
  await write([...pending, { kind: KIND.end, payload: digest(hash) }]);
}
async function writeRefusal(reason, write) {
  const payload = utf8(reason).subarray(0, REASON_BYTES_MAX);
  await write([{ kind: KIND.refusal, payload }]);
}
async function readMessage(first, rules) {
  if (first.kind === KIND.refusal) {
    if (first.payload.length > REASON_BYTES_MAX) throw malformed('a refusal that is too long');
    return { kind: 'refusal', reason: new TextDecoder().decode(first.payload) };
  }
  if (first.kind !== KIND.header || first.payload.length < SIZE_BYTES) {
    throw malformed(`a message that starts with a frame of kind ${first.kind}`);
  }
  const size = new DataView(first.payload.buffer, first.payload.byteOffset).getUint32(0);
  const header = first.payload.slice(SIZE_BYTES);
  if (header.length > LIMITS.controlBytesMax) throw malformed(`header of ${header.length} bytes`);
  if (size > rules.bodyBytesMax) {
    throw new ProtocolError('too-large', `body of ${size} bytes, at most ${rules.bodyBytesMax}`);
  }
  rules.onDeclared?.(size);
  const hash = createHash('sha256').update(first.payload);
  const body = await readBody(size, hash, rules.next);
  return { kind: 'parcel', parcel: { header, body } };
}
async function readBody(size, hash, next) {
  let body = new Uint8Array(Math.min(size, FIRST_BUFFER_BYTES));
  let at = 0;
  for (;;) {
    const frame = await next();
    if (frame === void 0) {
      throw new ProtocolError('connection-lost', `broke off after ${at} of ${size} bytes`);
    }
    const { kind, payload } = frame;
    if (kind === KIND.end) {
      if (at !== size) throw malformed(`a body of ${at} bytes that was declared as ${size}`);
      if (!equalBytes(payload, digest(hash))) throw malformed('a body that fails its hash');
      return body;
    }
    if (kind !== KIND.body || payload.length === 0) throw malformed(`kind ${kind} inside a body`);
    if (payload.length > size - at) throw malformed('a body longer than declared');
    hash.update(payload);
    if (at + payload.length > body.length) body = grown(body, at + payload.length, size);
    body.set(payload, at);
    at += payload.length;
  }
}
function grown(body, least, most) {
  const larger = new Uint8Array(Math.min(most, Math.max(least, 2 * body.length)));
  larger.set(body);
  return larger;
}
var digest = (hash) => new Uint8Array(hash.digest());
var malformed = (what) => new ProtocolError('malformed', `got ${what}`);

// packages/swarm/src/stream-pool.ts
var STREAMS_PER_PEER_MAX = 4;
var StreamPool = class {
  #open;
  #places = /* @__PURE__ */ new Map();
  constructor(open2) {
    this.#open = open2;
  }
  /** Gives the stream to `use` alone; it is kept for the next one if `use` resolves. */
  async with(peer, protocol, signal, use) {
    const key = `${peer} ${protocol}`;
    const place = this.#place(key);
    const stream = await this.#take(place, peer, protocol, signal);
    try {
      const answer = await use(stream);
      if (!stream.closed) place.idle.push(stream);
      return answer;
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(String(error)));
      throw error;
    } finally {
      if (!place.idle.includes(stream)) place.count--;
      this.#passOn(key, place);
    }
  }
  async #take(place, peer, protocol, signal) {
    for (;;) {
      if (signal.aborted) {
        this.#passOn(`${peer} ${protocol}`, place);
        throw signal.reason;
      }
      const idle = place.idle.pop();
      if (idle !== void 0 && !idle.closed) return idle;
      if (idle !== void 0) place.count--;
      else if (place.count < STREAMS_PER_PEER_MAX) break;
      else await turn(place, signal);
    }
    place.count++;
    try {
      return await this.#open(peer, protocol, signal);
    } catch (error) {
      place.count--;
      this.#passOn(`${peer} ${protocol}`, place);
      throw error;
    }
  }
  #place(key) {
    const known = this.#places.get(key);
    if (known !== void 0) return known;
    const place = { idle: [], count: 0, waiting: /* @__PURE__ */ new Set() };
    this.#places.set(key, place);
    return place;
  }
  #passOn(key, place) {
    const [next] = place.waiting;
    if (next !== void 0) {
      place.waiting.delete(next);
      next.wake();
    } else if (place.count === 0 && this.#places.get(key) === place) {
      this.#places.delete(key);
    }
  }
};
function turn(place, signal) {
  return new Promise((resolve2, reject) => {
    const onAbort = () => {
      place.waiting.delete(entry2);
      reject(signal.reason);
    };
    const entry2 = {
      wake: () => {
        signal.removeEventListener('abort', onAbort);
        resolve2();
      },
    };
    signal.addEventListener('abort', onAbort, { once: true });
    place.waiting.add(entry2);
  });
}

// packages/swarm/src/requests.ts
var FRAME_TIMEOUT_MS = 3e4;
var Requests = class {
  #parts;
  #pool;
  /** Declared bodies being received from a peer or answered, in bytes. */
  #inFlight = /* @__PURE__ */ new Map();
  constructor(parts) {
    this.#parts = parts;
    this.#pool = new StreamPool(parts.open);
  }
  /** @throws ProtocolError 'refused', 'timeout', 'connection-lost', 'unreachable', 'too-large' … */
  async request(to, protocol, parcel, { timeoutMs }) {
    checkParcel(parcel, LIMITS.bodyBytesMax);
    const what = `${protocol} to ${to}`;
    const message = await withDeadline(this.#parts.clock, timeoutMs, what, (signal) =>
      this.#pool.with(to, protocol, signal, (stream) => exchange(stream, parcel, signal)),
    );
    if (message.kind === 'refusal') throw new ProtocolError('refused', message.reason);
    return message.parcel;
  }
  /** Answers one stream's requests in turn until the other side ends it or sends garbage. */
  async serve(raw2, from, answer) {
    const stream = new FramedStream(raw2);
    try {
      for (let first = await stream.read(); first !== void 0; first = await stream.read()) {
        await this.#serveOne(stream, first, from, answer);
      }
      await this.#within('closing', (signal) => stream.close(signal));
    } catch (error) {
      this.#parts.log.debug('stream given up', { from, reason: errorMessage(error) });
      stream.abort(error instanceof Error ? error : new Error(String(error)));
    }
  }
  async #serveOne(stream, first, from, answer) {
    let held = 0;
    const hold = (bytes2) => {
      this.#hold(from, bytes2);
      held = bytes2;
    };
    const write = (frames) =>
      this.#within('sending a frame', (signal) => stream.write(frames, signal));
    try {
      const parcel = await this.#receive(stream, first, hold);
      const reply = await this.#answerOf(answer, parcel, from);
      if (reply.kind === 'refusal') await writeRefusal(reply.reason, write);
      else await writeParcel(reply.parcel, write);
    } finally {
      this.#release(from, held);
    }
  }
  async #receive(stream, first, onDeclared) {
    try {
      const next = () => this.#within('a frame', (signal) => stream.read(signal));
      const { bodyBytesMax } = this.#parts;
      return expectParcel(await readMessage(first, { bodyBytesMax, next, onDeclared }));
    } catch (error) {
      if (error instanceof ProtocolError && REFUSABLE.has(error.code)) {
        await this.#refuseUnread(stream, error.message);
      }
      throw error;
    }
  }
  /** Refuses a message whose rest is still coming, and waits for the sender to hang up. */
  async #refuseUnread(stream, reason) {
    await this.#within('refusing', async (signal) => {
      await writeRefusal(reason, (frames) => stream.write(frames, signal));
      await stream.close(signal);
      while ((await stream.read(signal)) !== void 0);
    });
  }
  /** A handler's failure is told to the requester and never ends the process. */
  async #answerOf(answer, parcel, from) {
    try {
      const reply = await answer(parcel, from);
      checkParcel(reply, LIMITS.bodyBytesMax);
      return { kind: 'parcel', parcel: reply };
    } catch (error) {
      const reason = errorMessage(error);
      if (!(error instanceof InvariantError)) return { kind: 'refusal', reason };
      this.#parts.log.error('a handler broke an invariant', { from, reason });
      return { kind: 'refusal', reason: 'internal error' };
    }
  }
  /** @throws ProtocolError 'busy' when the peer would make us hold more than one largest body */
  #hold(from, bytes2) {
    const total = (this.#inFlight.get(from) ?? 0) + bytes2;
    if (total > this.#parts.bodyBytesMax) {
      throw new ProtocolError('busy', 'too many large requests at once');
    }
    this.#inFlight.set(from, total);
  }
  #release(from, bytes2) {
    const rest = (this.#inFlight.get(from) ?? 0) - bytes2;
    if (rest > 0) this.#inFlight.set(from, rest);
    else this.#inFlight.delete(from);
  }
  #within(what, work) {
    return withDeadline(this.#parts.clock, FRAME_TIMEOUT_MS, what, work);
  }
};
var REFUSABLE = /* @__PURE__ */ new Set(['too-large', 'busy']);
function expectParcel(message) {
  if (message.kind === 'refusal') throw new ProtocolError('malformed', 'a refusal as a request');
  return message.parcel;
}
async function exchange(stream, parcel, signal) {
  const sent = writeParcel(parcel, (frames) => stream.write(frames, signal));
  const answer = readAnswer(stream, signal);
  for (const loser of [sent, answer]) loser.catch(() => {});
  const first = await Promise.race([sent.then(() => void 0), answer]);
  if (first === void 0) return answer;
  stream.abort(new ProtocolError('refused', 'answered before the request was complete'));
  return first;
}
async function readAnswer(stream, signal) {
  const next = () => stream.read(signal);
  const first = await next();
  if (first === void 0) throw new ProtocolError('connection-lost', 'closed without an answer');
  return readMessage(first, { bodyBytesMax: LIMITS.bodyBytesMax, next });
}

// packages/swarm/src/swarm.ts
var DIAL_TIMEOUT_MS = 1e4;
var IDENTIFY_MS = 5e3;
var INBOUND_STREAMS_MAX = 16;
var STREAM_OPTIONS = { maxInboundStreams: INBOUND_STREAMS_MAX, runOnLimitedConnection: true };
async function createSwarm(options, parts) {
  return (await assembleSwarm(options, parts)).swarm;
}
async function assembleSwarm(options, parts) {
  const checked = checkOptions(options);
  const ids = protocolIds(checked.network);
  const datastore = await openDatastore(checked.datastore);
  try {
    const node = await createNode(checked, ids, datastore);
    const swarm = new Libp2pSwarm({ node, ids, options: checked, parts, datastore });
    await swarm.start();
    return { swarm, node };
  } catch (error) {
    await datastore?.close();
    throw error;
  }
}
async function openDatastore(path) {
  if (path === void 0) return void 0;
  const datastore = new LevelDatastore(path);
  try {
    await datastore.open();
  } catch (error) {
    throw new ConfigError('datastore', `cannot open ${path} (${errorMessage(error)})`);
  }
  return datastore;
}
var Libp2pSwarm = class {
  self;
  #init;
  #peers;
  #known;
  #keeper;
  #gossip;
  #providers;
  #requests;
  #handled = /* @__PURE__ */ new Set();
  #stopping;
  constructor(init) {
    const { node, ids, options, parts } = init;
    const { clock, log, random } = parts;
    this.#init = init;
    this.self = peerOf(node.peerId);
    this.#peers = new Peers(node, ids.membership, log);
    this.#known = new KnownPeers({ self: this.self, redial: options.redial, random });
    this.#gossip = new Gossip(node.services.pubsub, ids, log);
    this.#providers = new Providers({ dht: node.services.dht, self: this.self, clock, random });
    this.#requests = new Requests({
      clock,
      log,
      bodyBytesMax: LIMITS.bodyBytesMax,
      open: (peer, protocol, signal) => this.#open(peer, protocol, signal),
    });
    const medic = new GossipMedic(node, clock, {
      patienceMs: options.monitor.intervalMs,
      hangUp: (peer) => this.#hangUp(peer, 'no gossip stream'),
    });
    this.#keeper = new Keeper(
      {
        clock,
        log,
        known: this.#known,
        connected: () => this.peers(),
        dial: (target) => this.#dial(target),
        walk: () => this.#providers.walk(),
        heal: () => medic.visit(this.peers()),
      },
      // One list may serve a whole swarm, the bootstrap peers included.
      options.bootstrap.filter((address) => !address.endsWith(`/p2p/${this.self}`)),
    );
  }
  async start() {
    const { node, ids, options } = this.#init;
    await node.handle(ids.membership, (stream) => stream.abort(new Error('nothing to say')));
    node.addEventListener('peer:discovery', ({ detail }) => this.#learn(peerOf(detail.id)));
    this.#peers.onChange((peer, connected) => this.#onPeerChange(peer, connected));
    try {
      await node.start();
    } catch (error) {
      const hint = 'Choose another address or stop the program that uses this one';
      throw new ConfigError(
        'listen',
        `${options.listen.join(', ')} (${errorMessage(error)})`,
        hint,
      );
    }
    for (const { id, protocols } of await node.peerStore.all()) {
      if (protocols.includes(ids.membership)) this.#learn(peerOf(id));
    }
    this.#keeper.start();
  }
  peers() {
    return this.#peers.all();
  }
  publish(topic, message) {
    return this.#gossip.publish(topic, message);
  }
  subscribe(topic, handle) {
    return this.#gossip.subscribe(topic, handle);
  }
  request(to, protocol, parcel, options) {
    return this.#requests.request(to, protocol, parcel, options);
  }
  handle(protocol, answer) {
    const { node, ids, parts } = this.#init;
    assert(!this.#handled.has(protocol), `${protocol} has a handler already`);
    this.#handled.add(protocol);
    node
      .handle(
        ids.direct(protocol),
        async (stream, { remotePeer }) => {
          const from = peerOf(remotePeer);
          if (from === void 0) stream.abort(new Error('not an Ed25519 peer'));
          else await this.#requests.serve(stream, from, answer);
        },
        STREAM_OPTIONS,
      )
      .catch((error) => {
        parts.log.warn('could not announce a protocol', { protocol, reason: errorMessage(error) });
      });
  }
  provide(key) {
    return this.#providers.provide(key);
  }
  findProviders(key, options) {
    return this.#providers.findProviders(key, options);
  }
  addresses() {
    return this.#init.node.getMultiaddrs().map(String);
  }
  dial(address) {
    return this.#dial({ address });
  }
  onPeerChange(listener) {
    return this.#peers.onChange(listener);
  }
  status() {
    const { node, options } = this.#init;
    return {
      self: this.self,
      network: options.network,
      listen: this.addresses(),
      connections: node.getConnections().flatMap(({ remotePeer, remoteAddr, direction }) => {
        const peer = peerOf(remotePeer);
        if (peer === void 0 || !this.#peers.has(peer)) return [];
        return [{ peer, address: remoteAddr.toString(), direction }];
      }),
      knownPeers: this.#known.size,
      routingTableSize: this.#providers.routingTableSize(),
      topics: this.#gossip.status(),
      bootstrap: this.#keeper.bootstrapStatus(),
      unreachable: this.#known.unreachable(),
    };
  }
  stop() {
    this.#stopping ??= (async () => {
      this.#keeper.stop();
      await this.#init.node.stop();
      await this.#init.datastore?.close();
    })();
    return this.#stopping;
  }
  async #dial(target) {
    const { node, parts } = this.#init;
    const byId = typeof target === 'string';
    const what = `dialling ${byId ? target : target.address}`;
    return withDeadline(parts.clock, DIAL_TIMEOUT_MS, what, async (signal) => {
      const whom = byId ? remoteOf(target) : multiaddr3(target.address);
      const connection = await node.dial(whom, { signal }).catch((error) => {
        throw new ProtocolError('unreachable', `${what}: ${errorMessage(error)}`);
      });
      this.#identifyLate(connection, signal);
      return this.#peers.admitted(connection, signal);
    });
  }
  /**
   * libp2p identifies a new connection once, and not again when that has failed. Such a connection
   * is found by every later dial; it gets a second chance, and is given up if that fails too.
   */
  #identifyLate(connection, signal) {
    const peer = peerOf(connection.remotePeer);
    const ageMs = Date.now() - connection.timeline.open;
    if (peer === void 0 || this.#peers.has(peer) || ageMs < IDENTIFY_MS) return;
    this.#init.node.services.identify
      .identify(connection, { signal })
      .catch((error) => connection.abort(new Error(errorMessage(error))));
  }
  async #open(peer, protocol, signal) {
    const { node, ids } = this.#init;
    try {
      const stream = await node.dialProtocol(remoteOf(peer), ids.direct(protocol), {
        signal,
        runOnLimitedConnection: true,
      });
      return new FramedStream(stream);
    } catch (error) {
      const unknown = error instanceof Error && error.name === 'UnsupportedProtocolError';
      const code2 = unknown ? 'unsupported' : 'unreachable';
      throw new ProtocolError(code2, `${protocol} to ${peer}: ${errorMessage(error)}`);
    }
  }
  #learn(peer) {
    if (peer === void 0) return;
    this.#known.learn(peer, this.#init.parts.clock.now());
  }
  #onPeerChange(peer, connected) {
    const now = this.#init.parts.clock.now();
    this.#known.learn(peer, now);
    const target = this.#known.get(peer);
    if (target === void 0) return;
    if (connected) {
      this.#known.succeeded(target);
      this.#keeper.lookAround();
    } else {
      target.dueAt = now + this.#init.options.redial.firstMs;
    }
  }
  #hangUp(peer, reason) {
    this.#init.parts.log.debug('hung up', { peer, reason });
    for (const connection of this.#init.node.getConnections(remoteOf(peer))) {
      connection.abort(new Error(reason));
    }
  }
};

// apps/daemon/src/control.ts
import { randomBytes as randomBytes2 } from 'node:crypto';
import { resolve } from 'node:path';

// apps/daemon/src/views.ts
function jobView({ job, standing, phase, certificates }) {
  const rounds = certificates.map(({ statement }, i) => {
    const { lossSum, correct, examples } = statement.metrics;
    return {
      round: statement.round,
      restarts: statement.restarts,
      attempt: statement.attempt,
      participants: statement.roster.length,
      survivors: survivorCount(statement),
      loss: examples === 0 ? null : lossSum / examples,
      accuracy: examples === 0 ? null : correct / examples,
      examples,
      stateHash: statement.stateHash,
      certificate: statementHash(statement),
      settled: isSettled(certificates, i),
    };
  });
  return {
    id: job.id,
    name: job.manifest.name,
    launcher: job.launcher,
    standing: standing.kind,
    detail: detailOf(standing),
    phase,
    rounds,
    roundsWanted: job.manifest.stop.rounds,
    stateHash: rounds.at(-1)?.stateHash ?? null,
  };
}
function detailOf(standing) {
  switch (standing.kind) {
    case 'participating':
      return `data set ${standing.dataset}`;
    case 'no-data':
      return standing.reasons.length === 0
        ? 'no data set is offered here; add one with `starling data add`'
        : standing.reasons.join('; ');
    default:
      return standing.reason;
  }
}
function jobEvent(job, notice, view2) {
  const round = 'round' in notice ? notice.round : void 0;
  const event = {
    job,
    kind: notice.kind,
    text: textOf(notice),
    ...(round !== void 0 && { round }),
  };
  const changed = notice.kind === 'certified' || notice.kind === 'finished';
  return changed ? { ...event, view: view2() } : event;
}
function textOf(notice) {
  switch (notice.kind) {
    case 'training':
      return `round ${notice.round}: training`;
    case 'joining':
      return `round ${notice.round}: update is ready, looking for a roster`;
    case 'waiting':
      return `round ${notice.round}: ${notice.joined} of at least ${notice.needed} peers have joined`;
    case 'session':
      return `round ${notice.round}: adding up with ${notice.roster.length} peers`;
    case 'phase':
      return `round ${notice.round}: ${notice.phase}`;
    case 'sum':
      return `round ${notice.round}: sum of ${notice.survivors.length} updates is open`;
    case 'retry':
      return `round ${notice.round}: attempt given up (${notice.reason}), trying again`;
    case 'burnt':
      return `round ${notice.round}: attempt lost (${notice.reason}), training anew`;
    case 'certified': {
      const { statement } = notice.certificate;
      return `round ${statement.round} certified: ${survivorCount(statement)} survivors`;
    }
    case 'rolled-back':
      return `rolled back to round ${notice.toRound}: a better chain exists`;
    case 'refused':
      return `refused from ${notice.peer}: ${notice.reason}`;
    case 'train-failed':
      return `training failed: ${notice.reason}`;
    case 'finished':
      return `finished after ${notice.round} rounds`;
    default:
      return '';
  }
}

// apps/daemon/src/control.ts
function controlHandlers(parts) {
  const { node, data, watchers } = parts;
  const find = (id) => jobView(node.job(findJob(node, id)));
  return {
    status: async () => status(parts),
    stop: () => void parts.stop(),
    jobs: async () => node.jobs().map(jobView),
    job: async (id) => find(id),
    launch: async (file, model) => node.launch(manifestOf(file, model), model),
    approve: async (id, dataset) => jobView(await node.approve(findJob(node, id), dataset)),
    refuse: async (id) => jobView(await node.refuse(findJob(node, id))),
    watch(id, listen) {
      const wanted = findJob(node, id);
      const watcher = (job, notice) => {
        if (job === wanted) setImmediate(() => listen(jobEvent(job, notice, () => find(job))));
      };
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    pull: (id) => pull(node, findJob(node, id)),
    addData: ({ name, path, task }) => data.add(name, resolve(path), task),
    listData: async () => data.views(),
  };
}
async function status({ config, state, node, swarm, data, started }) {
  const now = swarm.status();
  return {
    peerId: swarm.self,
    version: VERSION,
    network: config.network,
    addresses: [...swarm.addresses()],
    peers: [...swarm.peers()],
    routingTable: now.routingTableSize,
    bootstrap: now.bootstrap.map(({ address, connected, lastError }) => ({
      address,
      state: connected ? 'connected' : 'not connected',
      ...(lastError !== void 0 && { error: lastError }),
    })),
    jobs: node.jobs().length,
    dataSets: data.views().length,
    uptimeSeconds: (performance.now() - started) / 1e3,
    stateDirectory: state.path,
    pid: process.pid,
  };
}
function findJob(node, wanted) {
  const jobs = node.jobs().map(({ job }) => job);
  const exact = jobs.filter(({ id, manifest }) => id === wanted || manifest.name === wanted);
  const found = exact.length > 0 ? exact : jobs.filter(({ id }) => id.startsWith(wanted));
  if (found.length === 1) return found[0].id;
  const problem = found.length === 0 ? 'no job is called' : 'more than one job is called';
  throw new ConfigError('job', `${problem} "${wanted}"`, '`starling jobs` lists them');
}
async function pull(node, id) {
  const { model, state, signed, report: report2 } = await node.model(id);
  const { round, model: vector } = decodeState(state);
  const certificates = report2.certificates.slice(0, round);
  const proof = encodeCanonical(proofCodec, { manifest: signed, certificates });
  return {
    round,
    model: Buffer.from(applyVector(model, vector)).toString('base64'),
    proof: Buffer.from(proof).toString('base64'),
  };
}
function manifestOf(file, model) {
  const { optimizer, ...training } = file.training;
  const { weighting: _, ...aggregation } = file.aggregation;
  return {
    name: file.name,
    model: hashHex(model),
    data: { task: file.data.task, inputShape: file.data.input.shape, classes: file.data.classes },
    loss: file.loss,
    training: { optimizer, ...training },
    aggregation,
    admission: file.admission,
    stop: file.stop,
    nonce: new Uint8Array(randomBytes2(16)),
  };
}

// apps/daemon/src/data-registry.ts
var DataRegistry = class {
  #journal;
  #entries = /* @__PURE__ */ new Map();
  constructor(journal) {
    this.#journal = journal;
  }
  /** Reads the names again; a data set whose files are gone is left out and named in the answer. */
  async load() {
    const problems = [];
    for await (const [key, value] of this.#journal.entries('data/')) {
      const { path, task } = JSON.parse(new TextDecoder().decode(value));
      const name = key.slice('data/'.length);
      try {
        this.#entries.set(name, await inspect(name, path, task));
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        problems.push(`data set ${name}: ${error.message}`);
      }
    }
    return problems;
  }
  async add(name, path, task) {
    if (this.#entries.has(name)) {
      throw new ConfigError('data', `there is a data set "${name}" already`, 'Choose another name');
    }
    const entry2 = await inspect(name, path, task);
    await this.#journal.put(`data/${name}`, utf8(JSON.stringify({ path, task })));
    this.#entries.set(name, entry2);
    return view(entry2);
  }
  get(name) {
    return this.#entries.get(name)?.dataset;
  }
  *list() {
    for (const { dataset } of this.#entries.values()) yield dataset;
  }
  views() {
    return [...this.#entries.values()].map(view);
  }
};
async function inspect(name, path, task) {
  const { schema, examples } = await inspectDataset(path);
  return { dataset: { name, path, schema: { ...schema, task } }, examples };
}
var view = ({ dataset, examples }) => ({
  name: dataset.name,
  path: dataset.path,
  task: dataset.schema.task,
  examples,
  shape: [...dataset.schema.input.shape],
  classes: dataset.schema.classes,
});

// apps/daemon/src/daemon.ts
var entry = (name) => new URL(`./${name}.js`, import.meta.url);
async function startDaemon({ config, stateDirectory, log }, hooks = {}) {
  const undo = [];
  const stopAll = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const state = await openStateDirectory(stateDirectory, systemRandom);
    undo.push(() => state.close());
    return await assemble({ config, log, state, hooks, undo, stopAll });
  } catch (error) {
    await stopAll();
    throw error;
  }
}
async function assemble(assembly) {
  const { config, log, state, hooks, undo, stopAll } = assembly;
  const key = signingKeyFromSeed(state.identitySeed);
  const journal = await LevelJournal.open(state.journal);
  undo.push(() => journal.close());
  const blobs = await FileBlobStore.open(state.blobs);
  const data = new DataRegistry(journal);
  for (const problem of await data.load()) log.warn(problem);
  const trainer = createTrainer({
    childEntry: entry('trainer-child'),
    datasets: data,
    log,
    ...config.trainer,
  });
  undo.push(() => trainer.close());
  const swarm = await openSwarm(assembly);
  undo.push(() => swarm.stop());
  const { transport, traffic } = metered(swarm);
  let finish = () => {};
  const stopped = new Promise((resolve2) => {
    finish = resolve2;
  });
  let stopping;
  const stop = () => {
    stopping ??= stopAll().finally(finish);
    return stopping;
  };
  const watchers = /* @__PURE__ */ new Set();
  const node = new StarlingNode(
    {
      clock: systemClock,
      random: systemRandom,
      log,
      transport,
      blobs,
      journal,
      trainer,
      compute: createComputePool(entry('kernel-worker')),
      key,
      ...(hooks.observer && { observer: hooks.observer }),
    },
    {
      light: config.light,
      protection: 'double-masking',
      launchCopies: 3,
      policy: () => ({ trust: trustOf(config), minPeers: config.policy.minPeers }),
      onFatal: (error) => endByBug(log, error),
      onNotice: (job, notice) => {
        logNotice(log, job, notice);
        hooks.onNotice?.(job, notice);
        for (const watcher of watchers) watcher(job, notice);
      },
    },
    dataOffers(data),
  );
  await node.start();
  undo.push(() => node.stop());
  const socket = join4(state.path, 'control.sock');
  const parts = { config, state, node, swarm, data, watchers, stop, started: performance.now() };
  const server = await createControlServer(socket, controlHandlers(parts));
  undo.push(() => server.close());
  log.info('daemon is up', { peerId: key.peerId, addresses: swarm.addresses(), socket });
  return { node, swarm, data, socket, traffic, stopped, stop };
}
var openSwarm = ({ config, state, log }) =>
  createSwarm(
    {
      seed: state.identitySeed,
      network: config.network,
      listen: config.listen,
      announce: config.announce,
      bootstrap: config.bootstrap,
      mdns: config.mdns,
      datastore: state.peers,
    },
    { clock: systemClock, random: systemRandom, log },
  );
function logNotice(log, job, notice) {
  const { kind, ...rest } = notice;
  const fields = 'certificate' in rest ? { round: rest.certificate.statement.round } : rest;
  log.info(kind, { job: job.slice(0, 8), ...fields });
}
function endByBug(log, error) {
  const stack = error instanceof Error ? error.stack : void 0;
  log.error('the daemon ends by a bug of its own', { error: errorMessage(error), stack });
  process.exit(70);
}

export { createLog, startDaemon };
//# sourceMappingURL=chunk-NDUNX7TQ.js.map
