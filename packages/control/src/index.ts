export { aggregationOf } from './aggregation-schema.ts';
export { type ControlClient, createControlClient } from './client.ts';
export * from './data-schema.ts';
export { type NetworkView, networkSchema } from './network-schemas.ts';
export { controlSocket, defaultStateDirectory } from './paths.ts';
export * from './schemas.ts';
export { type ControlHandlers, type ControlServer, createControlServer } from './server.ts';
export type { SwarmHandlers } from './swarm-routes.ts';
export * from './swarm-schemas.ts';
