import { z } from 'zod';
import { dataSchema, dataViewSchema, readingPlanSchema } from './data-schema.ts';
import { failureSchema } from './failure.ts';
import { inspectionSchema } from './inspection-schema.ts';
import { liveRoundSchema } from './live-schema.ts';
import { manifestViewSchema } from './manifest-schema.ts';
import {
  cardFileSchema,
  cardViewSchema,
  fetchedModelSchema,
  foundModelsSchema,
} from './models-schema.ts';
import { networkSchema } from './network-schemas.ts';
import { ledgerSchema, offerViewSchema, tokenViewSchema } from './offers-schema.ts';
import { peersSchema } from './peers-schema.ts';
import { policyChangeSchema, policyViewSchema } from './policy-schema.ts';
import { guaranteeSchema, privacyViewSchema } from './privacy-schema.ts';
import {
  jobEventSchema,
  jobFileSchema,
  jobSchema,
  launchedSchema,
  progressSchema,
  pulledSchema,
  roundSchema,
  statusSchema,
} from './schemas.ts';
import {
  answeredSchema,
  askPeerSchema,
  peerModelSchema,
  servedSchema,
  serveSchema,
  servingSchema,
} from './serving-schema.ts';
import {
  inviteViewSchema,
  memberViewSchema,
  revokedViewSchema,
  swarmViewSchema,
  vouchViewSchema,
} from './swarm-schemas.ts';

const NAMES: Readonly<Record<string, z.ZodType>> = {
  AskPeer: askPeerSchema,
  Card: cardViewSchema,
  CardFile: cardFileSchema,
  Inferred: answeredSchema,
  PeerModel: peerModelSchema,
  Serve: serveSchema,
  Served: servedSchema,
  Serving: servingSchema,
  DataSet: dataViewSchema,
  DataSetOffer: dataSchema,
  Failure: failureSchema,
  FetchedModel: fetchedModelSchema,
  FoundModels: foundModelsSchema,
  Guarantee: guaranteeSchema,
  Inspection: inspectionSchema,
  Invite: inviteViewSchema,
  Job: jobSchema,
  JobEvent: jobEventSchema,
  JobFile: jobFileSchema,
  Launched: launchedSchema,
  Ledger: ledgerSchema,
  LiveRound: liveRoundSchema,
  Manifest: manifestViewSchema,
  Member: memberViewSchema,
  Network: networkSchema,
  Offer: offerViewSchema,
  Peers: peersSchema,
  Policy: policyViewSchema,
  PolicyChange: policyChangeSchema,
  Privacy: privacyViewSchema,
  Progress: progressSchema,
  Pulled: pulledSchema,
  ReadingPlan: readingPlanSchema,
  Revoked: revokedViewSchema,
  Round: roundSchema,
  Status: statusSchema,
  Swarm: swarmViewSchema,
  Token: tokenViewSchema,
  Vouch: vouchViewSchema,
};

/** What the API's document calls its schemas; it says each but once. */
export const schemaNames = z.registry<{ readonly id?: string }>();
for (const [id, schema] of Object.entries(NAMES)) schemaNames.add(schema, { id });
