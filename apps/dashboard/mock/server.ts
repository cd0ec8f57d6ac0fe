/** Serves the built pages and made-up answers, to look at them without a swarm. */
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type JobView,
  jobFileSchema,
  type ManifestView,
  manifestOf as makeManifest,
  manifestView,
} from '@starling/control';
import { dataSets, members, network, peers, policy, privacy, status, swarm } from './answers.ts';
import { World } from './world.ts';

export const MOCK_TOKEN = 'mock-token-mock-token-mock-token';
const PAGES = fileURLToPath(new URL('../../cli/dist/dashboard/', import.meta.url));
const TYPES: Readonly<Record<string, string>> = {
  ...{ '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css' },
  '.svg': 'image/svg+xml',
};
/** As strict as the daemon's own. */
const POLICY = [
  ...["default-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
  "object-src 'none'",
].join('; ');
const EVENT_MS = 1_300;

interface Ask {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

class Refusal extends Error {
  readonly status: number;
  readonly key: string | undefined;

  constructor(status: number, message: string, key?: string) {
    super(message);
    this.status = status;
    this.key = key;
  }
}

class Mock {
  readonly #began = Date.now();
  readonly #world = new World(this.#began);
  #dataSets = [...dataSets];

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', 'http://mock');
    try {
      if (!pathname.startsWith('/v1/')) return await sendPage(pathname, response);
      if (request.headers.authorization !== `Bearer ${MOCK_TOKEN}`) {
        throw new Refusal(401, 'this token is not the one of this daemon');
      }
      if (pathname === '/v1/events') return this.#stream(response);
      const text = await textOf(request);
      const body: unknown = text === '' ? undefined : JSON.parse(text);
      sendJson(response, 200, this.#answer({ method: request.method!, path: pathname, body }));
    } catch (error) {
      const { message } = error as Error;
      const { status: code, key } = error instanceof Refusal ? error : new Refusal(400, message);
      const kind = key === undefined ? 'invalid' : 'config';
      sendJson(response, code, { error: message, code: kind, ...(key && { key }) });
    }
  }

  #answer({ method, path, body }: Ask): unknown {
    const now = Date.now();
    const [, , group, id, part] = path.split('/').map(decodeURIComponent);
    if (group === 'jobs' && id !== undefined) return this.#jobAnswer(id, part, now);
    if (method === 'POST' && path === '/v1/jobs') return this.#launch(body);
    if (method === 'DELETE') {
      this.#dataSets = this.#dataSets.filter(({ name }) => name !== id);
      return {};
    }
    if (method === 'POST' && path === '/v1/data') return this.#addData(body);
    const fixed: Readonly<Record<string, () => unknown>> = {
      '/v1/status': () => {
        const seconds = Math.floor((now - this.#began) / 1000);
        return status(seconds, this.#world.jobs(now).length, this.#dataSets.length);
      },
      '/v1/jobs': () => this.#world.jobs(now),
      '/v1/data': () => this.#dataSets,
      '/v1/data/inspect': () => inspect(body),
      '/v1/network': () => network,
      '/v1/peers': () => peers,
      '/v1/policy': () => policy,
      '/v1/privacy': () => privacy,
      '/v1/swarm': () => swarm,
      '/v1/swarm/members': () => members,
    };
    const answer = fixed[path];
    if (answer === undefined) throw new Refusal(404, `this daemon has no ${method} ${path}`);
    return answer();
  }

  #jobAnswer(id: string, part: string | undefined, now: number): unknown {
    const job = this.#world.job(id, now);
    if (job === undefined) throw new Refusal(400, `there is no job ${id}`, 'job');
    const changes: Readonly<Record<string, Partial<JobView>>> = {
      approve: { standing: 'participating', detail: 'data set mnist-share', phase: 'training' },
      refuse: { standing: 'refused', detail: 'refused by its owner' },
      cancel: { phase: 'cancelled', live: null },
    };
    if (part === 'manifest') return manifestOf(job);
    if (part === 'model') return { round: job.rounds.length, model: 'T05OWA==', proof: 'cHJvb2Y=' };
    if (part !== undefined) this.#world.change(job.id, changes[part] ?? {});
    return this.#world.job(id, now);
  }

  #launch(body: unknown): unknown {
    const { job } = body as { job: unknown };
    const parsed = jobFileSchema.safeParse(job);
    if (!parsed.success) {
      const { path, message } = parsed.error.issues[0]!;
      throw new Refusal(400, `job.${path.join('.')}: ${message}`);
    }
    const { name, stop, aggregation } = parsed.data;
    if (aggregation.ringBits < 16 && aggregation.rotation === 'none') {
      const fault = 'aggregation.ringBits below 16 needs aggregation.rotation hadamard';
      throw new Refusal(400, `job: ${fault}`, 'aggregation.ringBits');
    }
    return { job: this.#world.launch(name, stop.rounds), copies: 12, peers: 17, privacy: null };
  }

  #addData(body: unknown): unknown {
    const { name } = body as { name: string };
    const added = { ...dataSets[0]!, name };
    this.#dataSets.push(added);
    return added;
  }

  #stream(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(': hello\n\n');
    const timer = setInterval(() => {
      const now = Date.now();
      response.write(`id: ${now}\ndata: ${JSON.stringify(this.#world.event(now))}\n\n`);
    }, EVENT_MS);
    response.once('close', () => clearInterval(timer));
  }
}

function manifestOf({ id, name, launcher, roundsWanted }: JobView): ManifestView {
  const file = jobFileSchema.parse({
    ...{ name, model: 'x', stop: { rounds: roundsWanted }, training: { momentum: 0.9 } },
    data: { task: 'mnist', input: { shape: [784] }, classes: 10 },
  });
  const manifest = makeManifest(file, Buffer.from(name));
  const sizes = { modelBytes: 798_220, parameters: 199_210 };
  return manifestView({ job: id, launcher, manifest, ...sizes });
}

const inspect = (body: unknown) => {
  const { name, path } = body as { name: string; path: string };
  if (path.includes('nowhere')) throw new Refusal(400, `path: there is no ${path}`, 'path');
  return {
    ...{ offer: { name, path }, task: 'mnist', format: 'idx', bytes: 9_424_000, classes: null },
    ...{ examples: 12_000, shape: [28, 28], columns: [], problems: [] },
    histogram: Array.from({ length: 10 }, (_, i) => 900 + 60 * i),
    notes: ['bytes are scaled by 1/255'],
  };
};

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  return text;
}

function sendJson(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

async function sendPage(path: string, response: ServerResponse): Promise<void> {
  const file = path === '/' ? 'index.html' : path.slice(1);
  if (!/^[\w.-]+(?:\/[\w.-]+)?$/.test(file)) throw new Refusal(404, 'no such page');
  const bytes = await readFile(join(PAGES, file));
  const type = TYPES[extname(file)] ?? 'application/octet-stream';
  response.writeHead(200, { 'content-type': type, 'content-security-policy': POLICY });
  response.end(bytes);
}

/** Listens on loopback; the address is that of `starling dashboard`, with a token. */
export async function startMock(port = 0): Promise<{ url: string; server: Server }> {
  const mock = new Mock();
  const server = createServer((request, response) => void mock.serve(request, response));
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const address = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${address.port}/#token=${MOCK_TOKEN}`, server };
}
