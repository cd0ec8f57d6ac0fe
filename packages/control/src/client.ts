import type { IncomingMessage } from 'node:http';
import { ConfigError, errorMessage } from '@starling/core';
import type { Dataset } from '@starling/trainer';
import { z } from 'zod';
import { type Ask, type ControlTarget, nameOf, open, type Progress } from './connection.ts';
import { type DataSetView, dataViewSchema } from './data-schema.ts';
import { errorOf, foreignAnswer } from './failure.ts';
import { type Inspect, type InspectionView, inspectionSchema } from './inspection-schema.ts';
import { type ListenView, listenViewSchema } from './listen-schema.ts';
import { type ManifestView, manifestViewSchema } from './manifest-schema.ts';
import {
  type CardView,
  cardViewSchema,
  type Deprecate,
  type FetchedModelView,
  type FoundModels,
  fetchedModelSchema,
  foundModelsSchema,
  type ModelSearch,
  type ModelVouch,
  type Publish,
} from './models-schema.ts';
import { type NetworkView, networkSchema } from './network-schemas.ts';
import { type OfferClient, offerClient } from './offers-client.ts';
import { type PeersView, peersSchema } from './peers-schema.ts';
import { type PolicyChange, type PolicyView, policyViewSchema } from './policy-schema.ts';
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
  type AnsweredView,
  type AskPeer,
  answeredSchema,
  type PeerModelView,
  peerModelSchema,
  type Serve,
  type ServedView,
  type ServingView,
  servedSchema,
  servingSchema,
} from './serving-schema.ts';
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
  peers(): Promise<PeersView>;
  /** Listens on loopback for a browser; only over the Unix socket. */
  listen(): Promise<ListenView>;
  stop(): Promise<void>;
  jobs(): Promise<readonly JobView[]>;
  job(id: string): Promise<JobView>;
  manifest(id: string): Promise<ManifestView>;
  /** @param progress of the model on its way to the daemon */
  launch(job: JobFile, model: Uint8Array, progress?: Progress): Promise<LaunchedView>;
  approve(id: string, dataset?: string): Promise<JobView>;
  refuse(id: string): Promise<JobView>;
  cancel(id: string): Promise<JobView>;
  events(id: string, signal?: AbortSignal): AsyncIterable<JobEvent>;
  /** Of all jobs. */
  allEvents(signal?: AbortSignal): AsyncIterable<JobEvent>;
  pull(id: string, options?: Partial<PullOptions>, progress?: Progress): Promise<Pulled>;
  addData(data: Dataset): Promise<DataSetView>;
  /** The files stay where they are. */
  removeData(name: string): Promise<DataSetView>;
  listData(): Promise<readonly DataSetView[]>;
  /** What the daemon's data sets have given away. */
  privacy(): Promise<PrivacyView>;
  inspectData(wanted: Inspect): Promise<InspectionView>;
  policy(): Promise<PolicyView>;
  changePolicy(change: PolicyChange): Promise<PolicyView>;
  readonly serving: ServingClient;
  readonly swarm: SwarmClient;
  readonly models: ModelClient;
  readonly offers: OfferClient;
}

export interface ServingClient {
  list(): Promise<ServingView>;
  /** @param progress of the model's file on its way to the daemon */
  serve(wanted: Serve, progress?: Progress): Promise<ServedView>;
  unserve(name: string): Promise<ServedView>;
  peerModels(peer: string): Promise<readonly PeerModelView[]>;
  askPeer(ask: AskPeer): Promise<AnsweredView>;
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

export interface ModelClient {
  /** @param progress of the model on its way to the daemon */
  publish(wanted: Publish, progress?: Progress): Promise<CardView>;
  search(wanted: ModelSearch): Promise<FoundModels>;
  show(id: string): Promise<CardView>;
  /** @param progress of the model on its way from the daemon */
  fetch(id: string, progress?: Progress): Promise<FetchedModelView>;
  vouch(id: string, wanted: ModelVouch): Promise<CardView>;
  deprecate(id: string, wanted: Deprecate): Promise<CardView>;
}

/** @param target a Unix socket, whose owner needs no token, or an address with its token */
export function createControlClient(target: ControlTarget): ControlClient {
  const [get, post] = [getting(target), posting(target)];
  const jobPath = (id: string, rest = '') => `/v1/jobs/${encodeURIComponent(id)}${rest}`;
  return {
    status: () => get('/v1/status', statusSchema),
    network: () => get('/v1/network', networkSchema),
    peers: () => get('/v1/peers', peersSchema),
    listen: () => post('/v1/listen', {}, listenViewSchema),
    stop: async () => void (await post('/v1/stop', {}, z.object({}))),
    jobs: () => get('/v1/jobs', z.array(jobSchema)),
    job: (id) => get(jobPath(id), jobSchema),
    manifest: (id) => get(jobPath(id, '/manifest'), manifestViewSchema),
    launch: (job, model, onSent) => {
      const body = { job, model: Buffer.from(model).toString('base64') };
      return call(target, launchedSchema, { method: 'POST', path: '/v1/jobs', body, onSent });
    },
    approve: (id, dataset) => post(jobPath(id, '/approve'), { dataset }, jobSchema),
    refuse: (id) => post(jobPath(id, '/refuse'), {}, jobSchema),
    cancel: (id) => post(jobPath(id, '/cancel'), {}, jobSchema),
    events: (id, signal) => events(target, { method: 'GET', path: jobPath(id, '/events'), signal }),
    allEvents: (signal) => events(target, { method: 'GET', path: '/v1/events', signal }),
    pull: (id, { personal = false, round } = {}, onReceived) => {
      const query = new URLSearchParams({
        ...(personal && { personal: 'true' }),
        ...(round !== undefined && { round: String(round) }),
      });
      const path = jobPath(id, `/model?${query}`);
      return call(target, pulledSchema, { method: 'GET', path }, onReceived);
    },
    addData: (data) => post('/v1/data', data, dataViewSchema),
    removeData: (name) =>
      call(target, dataViewSchema, {
        method: 'DELETE',
        path: `/v1/data/${encodeURIComponent(name)}`,
      }),
    inspectData: (wanted) => post('/v1/data/inspect', wanted, inspectionSchema),
    policy: () => get('/v1/policy', policyViewSchema),
    changePolicy: (body) =>
      call(target, policyViewSchema, { method: 'PATCH', path: '/v1/policy', body }),
    privacy: () => get('/v1/privacy', privacyViewSchema),
    listData: () => get('/v1/data', z.array(dataViewSchema)),
    serving: servingClient(target),
    swarm: swarmClient(target),
    models: modelClient(target),
    offers: offerClient((schema, method, path, body) =>
      call(target, schema, { method, path, body }),
    ),
  };
}

const getting =
  (target: ControlTarget) =>
  <T>(path: string, schema: z.ZodType<T>): Promise<T> =>
    call(target, schema, { method: 'GET', path });
const posting =
  (target: ControlTarget) =>
  <T>(path: string, body: unknown, schema: z.ZodType<T>): Promise<T> =>
    call(target, schema, { method: 'POST', path, body });

function servingClient(target: ControlTarget): ServingClient {
  const [get, post] = [getting(target), posting(target)];
  return {
    list: () => get('/v1/serving', servingSchema),
    serve: (body, onSent) =>
      call(target, servedSchema, { method: 'POST', path: '/v1/serving', body, onSent }),
    unserve: (name) =>
      call(target, servedSchema, {
        method: 'DELETE',
        path: `/v1/serving/${encodeURIComponent(name)}`,
      }),
    peerModels: (peer) =>
      get(`/v1/peers/${encodeURIComponent(peer)}/models`, z.array(peerModelSchema)),
    askPeer: (ask) => post('/v1/infer', ask, answeredSchema),
  };
}

function swarmClient(target: ControlTarget): SwarmClient {
  const [get, post] = [getting(target), posting(target)];
  return {
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
  };
}

function modelClient(target: ControlTarget): ModelClient {
  const post = <T>(path: string, body: unknown, schema: z.ZodType<T>, onSent?: Progress) =>
    call(target, schema, { method: 'POST', path, body, onSent });
  const cardPath = (id: string, rest = '') => `/v1/models/${encodeURIComponent(id)}${rest}`;
  return {
    publish: (wanted, onSent) => post('/v1/models', wanted, cardViewSchema, onSent),
    search: (wanted) => post('/v1/models/search', wanted, foundModelsSchema),
    show: (id) => call(target, cardViewSchema, { method: 'GET', path: cardPath(id) }),
    fetch: (id, onReceived) => {
      const path = cardPath(id, '/files');
      return call(target, fetchedModelSchema, { method: 'GET', path }, onReceived);
    },
    vouch: (id, wanted) => post(cardPath(id, '/vouch'), wanted, cardViewSchema),
    deprecate: (id, wanted) => post(cardPath(id, '/deprecate'), wanted, cardViewSchema),
  };
}

async function call<T>(
  target: ControlTarget,
  schema: z.ZodType<T>,
  ask: Ask,
  onReceived?: Progress,
): Promise<T> {
  const response = await open(target, ask);
  const answer = parseJson(await textOf(target, response.stream, onReceived));
  if (response.status >= 400) throw errorOf(answer);
  return parsed(schema, answer);
}

/** Ends quietly when aborted, and with an error when the daemon goes away in the middle. */
async function* events(target: ControlTarget, ask: Ask): AsyncGenerator<JobEvent, void, undefined> {
  const { signal } = ask;
  try {
    const { status, stream } = await open(target, ask);
    if (status >= 400) throw errorOf(parseJson(await textOf(target, stream)));
    // A character may be cut between two chunks, so the stream decodes, not the chunk.
    stream.setEncoding('utf8');
    let rest = '';
    for await (const chunk of reading(target, stream)) {
      const lines = `${rest}${chunk}`.split('\n');
      rest = lines.pop()!;
      for (const line of lines) yield parsed(jobEventSchema, parseJson(line));
    }
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  }
}

async function textOf(
  target: ControlTarget,
  stream: IncomingMessage,
  onReceived?: Progress,
): Promise<string> {
  const total = Number(stream.headers['content-length'] ?? Number.NaN);
  stream.setEncoding('utf8');
  let text = '';
  for await (const chunk of reading(target, stream)) {
    text += chunk;
    // What is long is base64: a byte for each character.
    onReceived?.(text.length, total);
  }
  return text;
}

/** The stream's text; a connection that breaks becomes an error with the next step. */
async function* reading(target: ControlTarget, stream: IncomingMessage): AsyncGenerator<string> {
  try {
    for await (const chunk of stream) yield chunk as string;
  } catch (error) {
    throw new ConfigError(
      'daemon',
      `the daemon at ${nameOf(target)} ended in the middle of its answer (${errorMessage(error)})`,
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
