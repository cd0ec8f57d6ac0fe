export {
  type Consent,
  consentTo,
  manifestFault,
  type Policy,
  type PrivacyBudget,
} from './admission.ts';
export { type AttemptOutcome, outcomeOf } from './attempt.ts';
export { type Ban, parseBan, verifyEvidence } from './bans.ts';
export {
  cellSizeOf,
  cellsDigest,
  cutCells,
  fewestInSum,
  oneCellMax,
  rosterDigest,
  sumPeersMax,
  wideGraph,
} from './cells.ts';
export {
  type Chain,
  isSettled,
  settledLength,
  signersOf,
  survivorCount,
  survivorsOf,
  verifyChain,
} from './chain.ts';
export { type EngineStep, engineStep } from './engine.ts';
export { type Have, missingFrom } from './have.ts';
export { codecOf, publicSeedOf, vectorLengthOf } from './job-codec.ts';
export { namedMetricsOf } from './named-metrics.ts';
export { messageIn, pooled, slotOfEnvelope } from './pool.ts';
export {
  type Guarantee,
  guaranteeOf,
  layoutFault,
  noiseForJob,
  rhoOfUpdate,
} from './privacy.ts';
export { parseSlot, roundIdOf, type Slot, slotKey } from './round-id.ts';
export { ringShapeOf } from './shape.ts';
export {
  createEngine,
  type EngineState,
  type Phase,
  type RunningSession,
  roundOf,
  stateHashOf,
} from './state.ts';
export { saidInCell, saidToAll } from './sync.ts';
export * from './trainer.ts';
export * from './types.ts';
