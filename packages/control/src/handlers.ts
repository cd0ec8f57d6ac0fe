import type { Dataset } from '@starling/trainer';
import type { z } from 'zod';
import type { DataSetView } from './data-schema.ts';
import type { Inspect, InspectionView } from './inspection-schema.ts';
import type { ManifestView } from './manifest-schema.ts';
import type {
  CardView,
  deprecateSchema,
  FetchedModelView,
  FoundModels,
  modelSearchSchema,
  modelVouchSchema,
  publishSchema,
} from './models-schema.ts';
import type { NetworkView } from './network-schemas.ts';
import type {
  acquitSchema,
  grantSchema,
  LedgerView,
  offerSchema,
  TokenView,
} from './offers-schema.ts';
import type { PeersView } from './peers-schema.ts';
import type { PolicyChange, PolicyView } from './policy-schema.ts';
import type { PrivacyView } from './privacy-schema.ts';
import type {
  JobEvent,
  JobFile,
  JobView,
  LaunchedView,
  Pulled,
  PullOptions,
  Status,
} from './schemas.ts';
import type {
  AnsweredView,
  AskPeer,
  PeerModelView,
  ServedView,
  ServingView,
  serveSchema,
} from './serving-schema.ts';
import type {
  createInviteSchema,
  createSwarmSchema,
  InviteView,
  MemberView,
  RevokedView,
  revokeSchema,
  SwarmView,
  VouchView,
  vouchSchema,
} from './swarm-schemas.ts';

/** An answer to "are you well?", for whoever restarts or routes around what is not. */
export interface Wellness {
  readonly ok: boolean;
  /** In a word or a short sentence; nothing that a stranger must not read. */
  readonly status: string;
}

/** Text for a scraper of metrics. */
export interface MetricsText {
  readonly contentType: string;
  readonly body: string;
}

/** What the daemon does for the API; all may throw a ConfigError that names the next step. */
export interface ControlHandlers {
  status(): Promise<Status>;
  /** Whether the daemon's loop turns at all. */
  health(): Promise<Wellness>;
  /** Whether it can take part: its swarm runs, and lets it in. */
  ready(): Promise<Wellness>;
  /** Absent where the daemon measures nothing. */
  metrics?(): Promise<MetricsText>;
  /** Asks and dials around for a few seconds. */
  network(): Promise<NetworkView>;
  peers(): Promise<PeersView>;
  /** Ends the daemon, after the answer is out. */
  stop(): void;
  jobs(): Promise<readonly JobView[]>;
  job(id: string): Promise<JobView>;
  manifest(id: string): Promise<ManifestView>;
  launch(job: JobFile, model: Uint8Array): Promise<LaunchedView>;
  approve(id: string, dataset: string | undefined): Promise<JobView>;
  refuse(id: string): Promise<JobView>;
  /** For everybody; only at the job's launcher. */
  cancel(id: string): Promise<JobView>;
  /** Told of every change of every job; the answer ends it. */
  watch(listen: (event: JobEvent) => void): () => void;
  pull(id: string, options: PullOptions): Promise<Pulled>;
  addData(data: Dataset): Promise<DataSetView>;
  removeData(name: string): Promise<DataSetView>;
  listData(): Promise<readonly DataSetView[]>;
  /** Looks at files, which may take minutes. */
  inspectData(wanted: Inspect): Promise<InspectionView>;
  privacy(): Promise<PrivacyView>;
  policy(): Promise<PolicyView>;
  /** In force at once, and after a restart. */
  changePolicy(change: PolicyChange): Promise<PolicyView>;
  readonly serving: ServingHandlers;
  readonly swarm: SwarmHandlers;
  readonly models: ModelHandlers;
  readonly offers: OfferHandlers;
}

/** What the daemon does about models that it serves, and those of others. */
export interface ServingHandlers {
  list(): Promise<ServingView>;
  serve(wanted: z.output<typeof serveSchema>): Promise<ServedView>;
  /** How it did to its end. */
  unserve(name: string): Promise<ServedView>;
  peerModels(peer: string): Promise<readonly PeerModelView[]>;
  askPeer(ask: AskPeer): Promise<AnsweredView>;
}

/** What the daemon does about its swarm. */
export interface SwarmHandlers {
  show(): Promise<SwarmView>;
  create(wanted: z.output<typeof createSwarmSchema>): Promise<SwarmView>;
  invite(wanted: z.output<typeof createInviteSchema>): Promise<InviteView>;
  /** Adds this admin's signature to an invite of another. */
  sign(invite: string): Promise<InviteView>;
  join(invite: string, addresses: readonly string[] | undefined): Promise<SwarmView>;
  members(): Promise<readonly MemberView[]>;
  revoke(wanted: z.output<typeof revokeSchema>): Promise<RevokedView>;
  /** This peer's word for another, or its withdrawal. */
  vouch(wanted: z.output<typeof vouchSchema>): Promise<VouchView>;
  vouches(): Promise<readonly VouchView[]>;
  leave(): Promise<SwarmView>;
}

/** What the daemon does about published models; a card is named by its id or its name. */
export interface ModelHandlers {
  publish(wanted: z.output<typeof publishSchema>): Promise<CardView>;
  search(wanted: z.output<typeof modelSearchSchema>): Promise<FoundModels>;
  show(id: string): Promise<CardView>;
  /** From whoever has it; by a whole id also what is not known here. */
  fetch(id: string): Promise<FetchedModelView>;
  vouch(id: string, wanted: z.output<typeof modelVouchSchema>): Promise<CardView>;
  deprecate(id: string, wanted: z.output<typeof deprecateSchema>): Promise<CardView>;
}

/** What the daemon does about restricted models and what is paid for them. */
export interface OfferHandlers {
  offer(id: string, terms: z.output<typeof offerSchema>): Promise<CardView>;
  buy(id: string, receipt: string | undefined): Promise<TokenView>;
  tokens(id: string): Promise<readonly TokenView[]>;
  grant(id: string, wanted: z.output<typeof grantSchema>): Promise<TokenView>;
  revoke(id: string, whose: readonly string[]): Promise<{ serials: string[] }>;
  take(token: Uint8Array): Promise<TokenView>;
  ledger(): Promise<LedgerView>;
  acquit(wanted: z.output<typeof acquitSchema>): Promise<LedgerView>;
}
