export * from './aggregation.ts';
export * from './cancel.ts';
export * from './certificate.ts';
export * from './envelope.ts';
export * from './evidence.ts';
export * from './manifest.ts';
export * from './sync.ts';
export * from './training.ts';
export { ROUNDS_LABEL, ROUNDS_VERSION } from './version.ts';
