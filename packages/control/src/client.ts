import { request as httpRequest, type IncomingMessage } from 'node:http';
import { ConfigError, errorMessage } from '@starling/core';
import type { Dataset } from '@starling/trainer';
import { z } from 'zod';
import { type DataSetView, dataViewSchema } from './data-schema.ts';
import { errorOf, foreignAnswer } from './failure.ts';
import { type NetworkView, networkSchema } from './network-schemas.ts';
import { type PrivacyView, privacyViewSchema } from './privacy-schema.ts';
import {
  type JobEvent,
  type JobFile,
  type JobView,
  jobEventSchema,
  jobSchema,
  type LaunchedView,
  launchedSchema,
  type Pulled,
  type PullOptions,
  pulledSchema,
  type Status,
  statusSchema,
} from './schemas.ts';
import {
  type CreateInvite,
  type CreateSwarm,
  type InviteView,
  inviteViewSchema,
  type MemberView,
  memberViewSchema,
  type Revoke,
  type RevokedView,
  revokedViewSchema,
  type SwarmView,
  swarmViewSchema,
  type VouchFor,
  type VouchView,
  vouchViewSchema,
} from './swarm-schemas.ts';

/** The API of one daemon, typed. Errors come back as its own ConfigError or ProtocolError. */
export interface ControlClient {
  status(): Promise<Status>;
  /** What the network looks like from the daemon; takes a few seconds. */
  network(): Promise<NetworkView>;
  stop(): Promise<void>;
  jobs(): Promise<readonly JobView[]>;
  job(id: string): Promise<JobView>;
  launch(job: JobFile, model: Uint8Array): Promise<LaunchedView>;
  approve(id: string, dataset?: string): Promise<JobView>;
  refuse(id: string): Promise<JobView>;
  cancel(id: string): Promise<JobView>;
  events(id: string, signal?: AbortSignal): AsyncIterable<JobEvent>;
  pull(id: string, options?: PullOptions): Promise<Pulled>;
  addData(data: Dataset): Promise<DataSetView>;
  /** The files stay where they are. */
  removeData(name: string): Promise<DataSetView>;
  listData(): Promise<readonly DataSetView[]>;
  /** What the daemon's data sets have given away. */
  privacy(): Promise<PrivacyView>;
  readonly swarm: SwarmClient;
}

export interface SwarmClient {
  show(): Promise<SwarmView>;
  create(wanted: CreateSwarm): Promise<SwarmView>;
  invite(wanted: CreateInvite): Promise<InviteView>;
  sign(invite: string): Promise<InviteView>;
  join(invite: string, addresses?: readonly string[]): Promise<SwarmView>;
  members(): Promise<readonly MemberView[]>;
  revoke(wanted: Revoke): Promise<RevokedView>;
  vouch(wanted: VouchFor): Promise<VouchView>;
  vouches(): Promise<readonly VouchView[]>;
  leave(): Promise<SwarmView>;
}

export function createControlClient(socket: string): ControlClient {
  const get = <T>(path: string, schema: z.ZodType<T>) =>
    call(socket, schema, { method: 'GET', path });
  const post = <T>(path: string, body: unknown, schema: z.ZodType<T>) =>
    call(socket, schema, { method: 'POST', path, body });
  const jobPath = (id: string, rest = '') => `/v1/jobs/${encodeURIComponent(id)}${rest}`;
  return {
    status: () => get('/v1/status', statusSchema),
    network: () => get('/v1/network', networkSchema),
    stop: async () => void (await post('/v1/stop', {}, z.object({}))),
    jobs: () => get('/v1/jobs', z.array(jobSchema)),
    job: (id) => get(jobPath(id), jobSchema),
    launch: (job, model) =>
      post('/v1/jobs', { job, model: Buffer.from(model).toString('base64') }, launchedSchema),
    approve: (id, dataset) => post(jobPath(id, '/approve'), { dataset }, jobSchema),
    refuse: (id) => post(jobPath(id, '/refuse'), {}, jobSchema),
    cancel: (id) => post(jobPath(id, '/cancel'), {}, jobSchema),
    events: (id, signal) => events(socket, { method: 'GET', path: jobPath(id, '/events'), signal }),
    pull: (id, { personal } = { personal: false }) =>
      get(jobPath(id, personal ? '/model?personal=true' : '/model'), pulledSchema),
    addData: (data) => post('/v1/data', data, dataViewSchema),
    removeData: (name) =>
      call(socket, dataViewSchema, {
        method: 'DELETE',
        path: `/v1/data/${encodeURIComponent(name)}`,
      }),
    privacy: () => get('/v1/privacy', privacyViewSchema),
    listData: () => get('/v1/data', z.array(dataViewSchema)),
    swarm: {
      show: () => get('/v1/swarm', swarmViewSchema),
      create: (wanted) => post('/v1/swarm', wanted, swarmViewSchema),
      invite: (wanted) => post('/v1/swarm/invites', wanted, inviteViewSchema),
      sign: (invite) => post('/v1/swarm/invites/sign', { invite }, inviteViewSchema),
      join: (invite, addresses) => post('/v1/swarm/join', { invite, addresses }, swarmViewSchema),
      members: () => get('/v1/swarm/members', z.array(memberViewSchema)),
      revoke: (wanted) => post('/v1/swarm/revoke', wanted, revokedViewSchema),
      vouch: (wanted) => post('/v1/swarm/vouches', wanted, vouchViewSchema),
      vouches: () => get('/v1/swarm/vouches', z.array(vouchViewSchema)),
      leave: () => post('/v1/swarm/leave', {}, swarmViewSchema),
    },
  };
}

interface Ask {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

async function call<T>(socket: string, schema: z.ZodType<T>, ask: Ask): Promise<T> {
  const response = await open(socket, ask);
  const answer = parseJson(await textOf(socket, response.stream));
  if (response.status >= 400) throw errorOf(answer);
  return parsed(schema, answer);
}

/** Ends quietly when aborted, and with an error when the daemon goes away in the middle. */
async function* events(socket: string, ask: Ask): AsyncGenerator<JobEvent, void, undefined> {
  const { signal } = ask;
  try {
    const { status, stream } = await open(socket, ask);
    if (status >= 400) throw errorOf(parseJson(await textOf(socket, stream)));
    // A character may be cut between two chunks, so the stream decodes, not the chunk.
    stream.setEncoding('utf8');
    let rest = '';
    for await (const chunk of reading(socket, stream)) {
      const lines = `${rest}${chunk}`.split('\n');
      rest = lines.pop()!;
      for (const line of lines) yield parsed(jobEventSchema, parseJson(line));
    }
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  }
}

async function textOf(socket: string, stream: IncomingMessage): Promise<string> {
  stream.setEncoding('utf8');
  let text = '';
  for await (const chunk of reading(socket, stream)) text += chunk;
  return text;
}

/** The stream's text; a connection that breaks becomes an error with the next step. */
async function* reading(socket: string, stream: IncomingMessage): AsyncGenerator<string> {
  try {
    for await (const chunk of stream) yield chunk as string;
  } catch (error) {
    throw new ConfigError(
      'daemon',
      `the daemon at ${socket} ended in the middle of its answer (${errorMessage(error)})`,
      'Look into its log, and start it again with `starling up`',
    );
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw foreignAnswer();
  }
}

function parsed<T>(schema: z.ZodType<T>, answer: unknown): T {
  const result = schema.safeParse(answer);
  if (!result.success) throw foreignAnswer();
  return result.data;
}

interface Response {
  readonly status: number;
  readonly stream: IncomingMessage;
}

function open(socketPath: string, { method, path, body, signal }: Ask): Promise<Response> {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers = payload === undefined ? {} : { 'content-type': 'application/json' };
    // One connection for each call: a kept one that the daemon closes fails with nobody to hear it.
    const target = { socketPath, method, path, headers, agent: false as const };
    const request = httpRequest({ ...target, ...(signal && { signal }) });
    request.on('response', (stream) => resolve({ status: stream.statusCode ?? 500, stream }));
    request.on('error', (error) => {
      const hint = 'Start it with `starling up`, or name its state directory with --state';
      reject(
        new ConfigError('daemon', `no answer at ${socketPath} (${errorMessage(error)})`, hint),
      );
    });
    request.end(payload);
  });
}
