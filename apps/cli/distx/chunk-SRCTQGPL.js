// packages/control/src/schemas.ts
import { z } from 'zod';
import { matchSchema, permutation, readIdx } from './chunk-4B55UYVQ.js';
import { assert, ConfigError, errorMessage, ProtocolError } from './chunk-74QJAORY.js';
import { parsePeerId } from './chunk-EMDBR6KR.js';

var hash = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hex digits');
var positive = z.number().positive();
var count = z.number().int().nonnegative();
var jobFileSchema = z.strictObject({
  name: z.string().min(1).max(128),
  /** Path of an ONNX file beside the job file, or `zoo:NAME`. */
  model: z.string().min(1),
  data: z.strictObject({
    task: z.string().min(1).max(64),
    input: z.strictObject({
      dtype: z.literal('float32').default('float32'),
      shape: z.array(z.number().int().positive()).min(1).max(8),
    }),
    classes: count.default(0),
  }),
  loss: z.enum(['softmax-cross-entropy', 'mean-squared-error']).default('softmax-cross-entropy'),
  training: z
    .strictObject({
      epochs: z.number().int().positive().max(1e3).default(1),
      batchSize: z.number().int().positive().max(65536).default(32),
      optimizer: z.literal('sgd').default('sgd'),
      learningRate: positive.default(0.1),
      momentum: z.number().min(0).lt(1).default(0),
    })
    .prefault({}),
  aggregation: z
    .strictObject({
      algorithm: z.literal('fedavg').default('fedavg'),
      weighting: z.literal('uniform').default('uniform'),
      ringBits: z.number().int().min(8).max(32).default(24),
      clippingNorm: positive.default(10),
      /** Owners of each chunk; 0 takes f + 1 of the roster, at most 3. */
      replication: z.number().int().min(0).max(3).default(0),
      phaseSeconds: positive.max(3600).default(10),
    })
    .prefault({}),
  privacy: z.strictObject({ mechanism: z.literal('none').default('none') }).prefault({}),
  admission: z
    .strictObject({
      minPeers: z.number().int().min(3).max(128).default(3),
      maxPeers: z.number().int().min(3).max(128).default(64),
      joinWindowSeconds: positive.max(86400).default(5),
    })
    .prefault({}),
  stop: z.strictObject({ rounds: z.number().int().positive().max(1e6) }),
});
var launchSchema = z.strictObject({ job: jobFileSchema, model: z.base64() });
var approveSchema = z.strictObject({ dataset: z.string().min(1).optional() });
var dataSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/i, 'use letters, digits, dot, hyphen'),
  path: z.string().min(1),
  task: z.string().min(1).max(64),
});
var statusSchema = z.object({
  peerId: z.string(),
  version: z.string(),
  network: z.string(),
  addresses: z.array(z.string()),
  peers: z.array(z.string()),
  routingTable: count,
  bootstrap: z.array(
    z.object({ address: z.string(), state: z.string(), error: z.string().optional() }),
  ),
  jobs: count,
  dataSets: count,
  uptimeSeconds: z.number(),
  stateDirectory: z.string(),
  pid: count,
});
var roundSchema = z.object({
  round: count,
  restarts: count,
  attempt: count,
  participants: count,
  survivors: count,
  /** Of the global model before the round, over the survivors' validation splits. */
  loss: z.number().nullable(),
  accuracy: z.number().nullable(),
  examples: count,
  stateHash: hash,
  certificate: hash,
  settled: z.boolean(),
});
var jobSchema = z.object({
  id: hash,
  name: z.string(),
  launcher: z.string(),
  standing: z.enum(['waiting-for-approval', 'refused', 'no-data', 'failed', 'participating']),
  /** Why the job stands there, or the data set it uses. */
  detail: z.string(),
  phase: z.string(),
  rounds: z.array(roundSchema),
  roundsWanted: count,
  stateHash: hash.nullable(),
});
var launchedSchema = z.object({ job: hash, copies: count, peers: count });
var dataViewSchema = z.object({
  name: z.string(),
  path: z.string(),
  task: z.string(),
  examples: count,
  shape: z.array(count),
  classes: count,
});
var pulledSchema = z.object({ round: count, model: z.string(), proof: z.string() });
var jobEventSchema = z.object({
  job: hash,
  kind: z.string(),
  round: count.optional(),
  text: z.string(),
  view: jobSchema.optional(),
});

// packages/control/src/paths.ts
import { homedir } from 'node:os';
import { join } from 'node:path';

var defaultStateDirectory = () => process.env['STARLING_STATE'] ?? join(homedir(), '.starling');

// packages/control/src/client.ts
import { request as httpRequest } from 'node:http';
// packages/control/src/failure.ts
import { z as z2, z as z3 } from 'zod';

var failureSchema = z2.object({
  error: z2.string(),
  code: z2.string(),
  key: z2.string().optional(),
});
function failureOf(error) {
  if (error instanceof z2.ZodError) {
    const { path, message } = error.issues[0];
    const at = path.length === 0 ? '' : `${path.join('.')}: `;
    return { status: 400, body: { error: `${at}${message}`, code: 'invalid' } };
  }
  if (error instanceof ConfigError) {
    return { status: 400, body: { error: error.message, code: 'config', key: error.key } };
  }
  if (error instanceof ProtocolError) {
    return { status: 409, body: { error: error.message, code: error.code } };
  }
  const status = error?.statusCode ?? 500;
  return { status, body: { error: errorMessage(error), code: 'internal' } };
}
function errorOf(answer) {
  const parsed2 = failureSchema.safeParse(answer);
  if (!parsed2.success) return foreignAnswer();
  const { error, code, key } = parsed2.data;
  if (code !== 'config' || key === void 0) return new ProtocolError(code, error);
  const prefix = `${key}: `;
  return new ConfigError(key, error.startsWith(prefix) ? error.slice(prefix.length) : error);
}
var foreignAnswer = () =>
  new ProtocolError(
    'answer',
    'the daemon answers in a form this release does not know. Run both from the same release',
  );

// packages/control/src/client.ts
function createControlClient(socket) {
  const get = (path, schema) => call(socket, schema, { method: 'GET', path });
  const post = (path, body, schema) => call(socket, schema, { method: 'POST', path, body });
  const jobPath = (id, rest = '') => `/v1/jobs/${encodeURIComponent(id)}${rest}`;
  return {
    status: () => get('/v1/status', statusSchema),
    stop: async () => void (await post('/v1/stop', {}, z3.object({}))),
    jobs: () => get('/v1/jobs', z3.array(jobSchema)),
    job: (id) => get(jobPath(id), jobSchema),
    launch: (job, model) =>
      post('/v1/jobs', { job, model: Buffer.from(model).toString('base64') }, launchedSchema),
    approve: (id, dataset) => post(jobPath(id, '/approve'), { dataset }, jobSchema),
    refuse: (id) => post(jobPath(id, '/refuse'), {}, jobSchema),
    events: (id, signal) => events(socket, { method: 'GET', path: jobPath(id, '/events'), signal }),
    pull: (id) => get(jobPath(id, '/model'), pulledSchema),
    addData: (data) => post('/v1/data', data, dataViewSchema),
    listData: () => get('/v1/data', z3.array(dataViewSchema)),
  };
}
async function call(socket, schema, ask) {
  const response = await open(socket, ask);
  const answer = parseJson(await textOf(socket, response.stream));
  if (response.status >= 400) throw errorOf(answer);
  return parsed(schema, answer);
}
async function* events(socket, ask) {
  const { signal } = ask;
  try {
    const { status, stream } = await open(socket, ask);
    if (status >= 400) throw errorOf(parseJson(await textOf(socket, stream)));
    stream.setEncoding('utf8');
    let rest = '';
    for await (const chunk of reading(socket, stream)) {
      const lines = `${rest}${chunk}`.split('\n');
      rest = lines.pop();
      for (const line of lines) yield parsed(jobEventSchema, parseJson(line));
    }
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  }
}
async function textOf(socket, stream) {
  stream.setEncoding('utf8');
  let text = '';
  for await (const chunk of reading(socket, stream)) text += chunk;
  return text;
}
async function* reading(socket, stream) {
  try {
    for await (const chunk of stream) yield chunk;
  } catch (error) {
    throw new ConfigError(
      'daemon',
      `the daemon at ${socket} ended in the middle of its answer (${errorMessage(error)})`,
      'Look into its log, and start it again with `starling up`',
    );
  }
}
function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw foreignAnswer();
  }
}
function parsed(schema, answer) {
  const result = schema.safeParse(answer);
  if (!result.success) throw foreignAnswer();
  return result.data;
}
function open(socketPath, { method, path, body, signal }) {
  return new Promise((resolve2, reject) => {
    const payload = body === void 0 ? void 0 : JSON.stringify(body);
    const headers = payload === void 0 ? {} : { 'content-type': 'application/json' };
    const request = httpRequest({ socketPath, method, path, headers, ...(signal && { signal }) });
    request.on('response', (stream) => resolve2({ status: stream.statusCode ?? 500, stream }));
    request.on('error', (error) => {
      const hint = 'Start it with `starling up`, or name its state directory with --state';
      reject(
        new ConfigError('daemon', `no answer at ${socketPath} (${errorMessage(error)})`, hint),
      );
    });
    request.end(payload);
  });
}

// packages/control/src/server.ts
import { chmod, rm } from 'node:fs/promises';
import { z as z4 } from 'zod';

var BODY_BYTES_MAX = 700 * 1024 * 1024;
var UNREAD_BYTES_MAX = 4 * 1024 * 1024;
async function createControlServer(socket, handlers) {
  const { default: fastify } = await import('fastify');
  const app = fastify({ bodyLimit: BODY_BYTES_MAX, forceCloseConnections: true });
  const refuse = (reply, error) => {
    const { status, body } = failureOf(error);
    return reply.code(status).send(body);
  };
  app.setErrorHandler((error, _request, reply) => refuse(reply, error));
  app.setNotFoundHandler(({ method, url }, reply) =>
    refuse(reply, new ProtocolError('unknown-route', `this daemon has no ${method} ${url}`)),
  );
  routes(app, handlers);
  await rm(socket, { force: true });
  try {
    await app.listen({ path: socket });
    await chmod(socket, 384);
  } catch (error) {
    const hint = 'The path of a Unix socket may have at most 107 characters';
    throw new ConfigError('socket', `cannot listen on ${socket} (${errorMessage(error)})`, hint);
  }
  return { socket, close: () => app.close() };
}
function routes(app, handlers) {
  const id = (params) => z4.object({ id: z4.string() }).parse(params).id;
  app.get('/v1/status', () => handlers.status());
  app.post('/v1/stop', async (_request, reply) => {
    reply.raw.once('finish', () => handlers.stop());
    return {};
  });
  app.get('/v1/jobs', () => handlers.jobs());
  app.get('/v1/jobs/:id', ({ params }) => handlers.job(id(params)));
  app.post('/v1/jobs', ({ body }) => {
    const { job, model } = launchSchema.parse(body);
    return handlers.launch(job, Buffer.from(model, 'base64'));
  });
  app.post('/v1/jobs/:id/approve', ({ params, body }) =>
    handlers.approve(id(params), approveSchema.parse(body).dataset),
  );
  app.post('/v1/jobs/:id/refuse', ({ params }) => handlers.refuse(id(params)));
  app.get('/v1/jobs/:id/model', ({ params }) => handlers.pull(id(params)));
  app.get('/v1/jobs/:id/events', ({ params }, reply) => streamEvents(reply, handlers, id(params)));
  app.get('/v1/data', () => handlers.listData());
  app.post('/v1/data', ({ body }) => handlers.addData(dataSchema.parse(body)));
}
async function streamEvents(reply, handlers, job) {
  const view = await handlers.job(job);
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, { 'content-type': 'application/x-ndjson' });
  const send = (event) => {
    if (raw.writableLength > UNREAD_BYTES_MAX) raw.destroy();
    else
      raw.write(`${JSON.stringify(event)}
`);
  };
  send({ job: view.id, kind: 'now', text: `${view.standing}, ${view.phase}`, view });
  const leave = handlers.watch(view.id, send);
  if (raw.destroyed) leave();
  else raw.once('close', leave);
}

// packages/trainer/src/mnist.ts
import { createHash } from 'node:crypto';
// packages/trainer/src/gradcheck.ts
import { readFile, readFile as readFile2 } from 'node:fs/promises';
import { basename, join as join2, join as join3, resolve } from 'node:path';

var SUMS = {
  'train-images-idx3-ubyte': 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
  'train-labels-idx1-ubyte': '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
  't10k-images-idx3-ubyte': '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
  't10k-labels-idx1-ubyte': 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
};
async function readMnist(packagePath) {
  const [train, test] = await Promise.all([
    readPair(packagePath, 'train-images-idx3-ubyte', 'train-labels-idx1-ubyte'),
    readPair(packagePath, 't10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte'),
  ]);
  return { train, test };
}
async function readPair(packagePath, imagesName, labelsName) {
  const [images, labels] = await Promise.all(
    [imagesName, labelsName].map((name) =>
      readChecked(join3(packagePath, 'data', name), SUMS[name]),
    ),
  );
  const [count2, ...shape] = images.shape;
  return { count: count2, shape, images: images.data, labels: labels.data };
}
async function readChecked(file, sum) {
  const bytes = await readFile2(file);
  if (createHash('sha256').update(bytes).digest('hex') !== sum) {
    throw new ProtocolError('dataset-corrupt', `${file}: not the canonical MNIST file`);
  }
  return readIdx(bytes, file);
}

// packages/trainer/src/partition.ts
function dirichletPartition(options) {
  const { labels, peers, alpha, minimum, generator } = options;
  assert(peers >= 1 && alpha > 0, `${peers} peers, alpha ${alpha}`);
  assert(peers * minimum <= labels.length, `${minimum} examples for each of ${peers} peers`);
  const shares = Array.from({ length: peers }, () => []);
  const byClass = /* @__PURE__ */ new Map();
  for (const index of permutation(labels.length, generator)) {
    const list = byClass.get(labels[index]) ?? [];
    list.push(index);
    byClass.set(labels[index], list);
  }
  for (const label of [...byClass.keys()].sort((a, b) => a - b)) {
    deal(byClass.get(label), shares, dirichlet(peers, alpha, generator));
  }
  topUp(shares, minimum);
  return shares.map((share) => Int32Array.from(share));
}
function deal(indices, shares, parts) {
  let from = 0;
  let cumulated = 0;
  for (const [peer2, part] of parts.entries()) {
    cumulated += part;
    const last = peer2 === parts.length - 1;
    const to = last ? indices.length : Math.floor(cumulated * indices.length);
    shares[peer2].push(...indices.slice(from, to));
    from = Math.max(from, to);
  }
}
function topUp(shares, minimum) {
  for (const poor of shares) {
    while (poor.length < minimum) {
      const rich = shares.reduce((best, share) => (share.length > best.length ? share : best));
      poor.push(rich.pop());
    }
  }
}
function dirichlet(count2, alpha, generator) {
  const draws = Array.from({ length: count2 }, () => gamma(alpha, generator));
  const total = draws.reduce((sum, draw) => sum + draw, 0);
  return draws.map((draw) => (total > 0 ? draw / total : 1 / count2));
}
function gamma(shape, generator) {
  if (shape < 1) return gamma(shape + 1, generator) * openUniform(generator) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal(generator);
    const v = (1 + c * x) ** 3;
    if (v <= 0) continue;
    if (Math.log(openUniform(generator)) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}
var openUniform = (generator) => generator.uniform() + 2 ** -33;
var normal = (generator) =>
  Math.sqrt(-2 * Math.log(openUniform(generator))) * Math.cos(2 * Math.PI * generator.uniform());
function selectExamples(data, indices) {
  const pixels = data.shape.reduce((product, dim) => product * dim, 1);
  const images = new Uint8Array(indices.length * pixels);
  for (const [i, index] of indices.entries()) {
    images.set(data.images.subarray(index * pixels, (index + 1) * pixels), i * pixels);
  }
  const labels = Uint8Array.from(indices, (index) => data.labels[index]);
  return { count: indices.length, shape: data.shape, images, labels };
}

// packages/trainer/src/child.ts
import { fork } from 'node:child_process';
import { setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';

var WAITING_MAX = 256;
var STDERR_KEPT = 2e3;
var ENVIRONMENT = ['PATH', 'HOME', 'TMPDIR', 'LD_LIBRARY_PATH', 'NODE_EXTRA_CA_CERTS'];
var TrainerChild = class {
  #process;
  #waiting = /* @__PURE__ */ new Map();
  #ended;
  #timeoutMs;
  #nextId = 0;
  #alive = true;
  #stderr = '';
  constructor({ entry, niceness, timeoutMs, log }) {
    this.#timeoutMs = timeoutMs;
    this.#process = fork(fileURLToPath(entry), {
      serialization: 'advanced',
      execArgv: [],
      env: Object.fromEntries(ENVIRONMENT.map((name) => [name, process.env[name]])),
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#process.stderr.setEncoding('utf8').on('data', (text) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_KEPT);
    });
    this.#process.on('message', (response) => this.#settle(response));
    this.#ended = new Promise((resolve2) => {
      const end = (cause) => {
        this.#end(cause);
        resolve2();
      };
      this.#process.once('close', (code, signal) => end(signal ?? `exit code ${code}`));
      this.#process.once('error', (error) => end(errorMessage(error)));
    });
    this.#lowerPriority(niceness, log);
    log.debug('trainer child started', { pid: this.#process.pid });
  }
  get alive() {
    return this.#alive;
  }
  get pid() {
    return this.#process.pid;
  }
  /** @throws ProtocolError with the child's code, or `trainer-died`, or `trainer-busy` */
  request(request) {
    if (!this.#alive)
      return Promise.reject(new ProtocolError('trainer-died', 'the child has ended'));
    if (this.#waiting.size >= WAITING_MAX) {
      return Promise.reject(new ProtocolError('trainer-busy', `${WAITING_MAX} requests wait`));
    }
    const id = this.#nextId++;
    return new Promise((resolve2, reject) => {
      const timer = setTimeout(() => {
        this.#stderr = `no answer to ${request.kind} within ${this.#timeoutMs} ms`;
        this.#process.kill('SIGKILL');
      }, this.#timeoutMs);
      this.#waiting.set(id, { resolve: resolve2, reject, timer });
      const envelope = { id, request };
      this.#process.send(envelope, () => {});
    });
  }
  /** Kills the child, mid-run if need be. Resolves when it is gone. */
  async kill() {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }
  #settle(response) {
    const waiting = this.#waiting.get(response.id);
    this.#waiting.delete(response.id);
    clearTimeout(waiting?.timer);
    if (response.ok) waiting?.resolve(response.result);
    else waiting?.reject(new ProtocolError(response.code, response.message));
  }
  #end(cause) {
    if (!this.#alive) return;
    this.#alive = false;
    const said = this.#stderr.trim();
    const message = `the trainer child ended (${cause})${said === '' ? '' : `: ${said}`}`;
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new ProtocolError('trainer-died', message));
    }
    this.#waiting.clear();
  }
  #lowerPriority(niceness, log) {
    const { pid } = this.#process;
    if (pid === void 0) return;
    try {
      setPriority(pid, niceness);
    } catch (error) {
      log.warn('cannot lower the priority of the trainer child', { error: errorMessage(error) });
    }
  }
};

// packages/trainer/src/trainer.ts
function createTrainer(options) {
  return new ChildTrainer(options);
}
var ChildTrainer = class {
  #options;
  #child;
  #nextHandle = 0;
  #closed = false;
  constructor(options) {
    this.#options = options;
  }
  get pid() {
    return this.#child?.alive ? this.#child.pid : void 0;
  }
  async describe(model) {
    return this.#living().request({ kind: 'describe', model });
  }
  async prepare(job) {
    const dataset = this.#options.datasets.get(job.dataset);
    if (dataset === void 0) {
      throw new ProtocolError('data-mismatch', `there is no data set "${job.dataset}"`);
    }
    const match = matchSchema(job.data, dataset);
    if (!match.ok) throw new ProtocolError('data-mismatch', match.reason);
    const remote = new RemoteJob(() => this.#living(), this.#prepareRequest(job, dataset));
    const { layout, initial } = await remote.prepared();
    return {
      layout,
      initial,
      train: (vector, seed) => remote.ask((handle) => ({ kind: 'train', handle, vector, seed })),
      evaluate: (vector, examplesMax) =>
        remote.ask((handle) => ({ kind: 'evaluate', handle, vector, examplesMax })),
      close: () => remote.close(),
    };
  }
  async close() {
    this.#closed = true;
    await this.#child?.kill();
    this.#child = void 0;
  }
  #prepareRequest(job, { path }) {
    const { threads = 1 } = this.#options;
    return { kind: 'prepare', handle: this.#nextHandle++, job, datasetPath: path, threads };
  }
  #living() {
    if (this.#closed) throw new ProtocolError('trainer-died', 'the trainer is closed');
    if (this.#child === void 0 || !this.#child.alive) {
      const { childEntry, log, niceness = 10, timeoutMs = 36e5 } = this.#options;
      if (this.#child !== void 0) log.warn('the trainer child died; starting another');
      this.#child = new TrainerChild({ entry: childEntry, niceness, timeoutMs, log });
    }
    return this.#child;
  }
};
var RemoteJob = class {
  #living;
  #request;
  #preparedIn;
  #prepared;
  constructor(living, request) {
    this.#living = living;
    this.#request = request;
  }
  prepared() {
    const child = this.#living();
    if (this.#prepared === void 0 || this.#preparedIn !== child) {
      this.#preparedIn = child;
      this.#prepared = child.request(this.#request);
      this.#prepared.catch(() => {
        this.#prepared = void 0;
      });
    }
    return this.#prepared;
  }
  async ask(build) {
    await this.prepared();
    return this.#preparedIn.request(build(this.#request.handle));
  }
  async close() {
    if (!this.#preparedIn?.alive) return;
    await this.#preparedIn.request({ kind: 'close', handle: this.#request.handle });
  }
};

// apps/daemon/src/config.ts
import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
import { z as z5 } from 'zod';

var peer = z5
  .string()
  .refine((text) => parsePeerId(text) !== void 0, 'not a peer id (12D3KooW\u2026)');
var configSchema = z5.strictObject({
  /** Names the swarm; peers of different networks never mix. */
  network: z5
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,47}$/, 'use small letters, digits and hyphens')
    .default('starling'),
  listen: z5.array(z5.string()).default(['/ip4/0.0.0.0/tcp/0']),
  /** Addresses to tell others in place of the listen addresses. */
  announce: z5.array(z5.string()).default([]),
  bootstrap: z5.array(z5.string()).default([]),
  mdns: z5.boolean().default(true),
  /** Contributes to sums but owns no chunk: for slow links and batteries. */
  light: z5.boolean().default(false),
  policy: z5
    .strictObject({
      /** Launchers whose jobs start without asking. */
      trust: z5.array(peer).default([]),
      minPeers: z5.number().int().min(3).default(3),
    })
    .prefault({}),
  trainer: z5
    .strictObject({
      threads: z5.number().int().positive().max(256).default(1),
      niceness: z5.number().int().min(0).max(19).default(10),
    })
    .prefault({}),
  log: z5.enum(['debug', 'info', 'warn', 'error']).default('info'),
});
var trustOf = ({ policy }) => policy.trust;
function parseConfig(text, file) {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const syntax = document.errors[0];
  if (syntax !== void 0) throw new ConfigError(file, syntax.message);
  const parsed2 = configSchema.safeParse(document.toJS() ?? {});
  if (parsed2.success) return parsed2.data;
  const issue = parsed2.error.issues[0];
  const path = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0]] : issue.path;
  const node = document.getIn(path, true);
  const line = node?.range ? lines.linePos(node.range[0]).line : 1;
  const key = path.join('.') || 'configuration';
  throw new ConfigError(`${file}, line ${line}, ${key}`, issue.message);
}
function loadConfig(file) {
  if (file === void 0) return configSchema.parse({});
  try {
    return parseConfig(readFileSync(file, 'utf8'), file);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError('config', `cannot read ${file} (${errorMessage(error)})`);
  }
}

// apps/daemon/src/version.ts
var VERSION = '0.1.0';

export {
  configSchema,
  createControlClient,
  createControlServer,
  createTrainer,
  defaultStateDirectory,
  dirichletPartition,
  jobFileSchema,
  loadConfig,
  readMnist,
  selectExamples,
  trustOf,
  VERSION,
};
//# sourceMappingURL=chunk-SRCTQGPL.js.map
