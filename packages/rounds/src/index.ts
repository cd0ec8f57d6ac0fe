export { type Consent, consentTo, manifestFault, type Policy } from './admission.ts';
export { type Chain, isSettled, signersOf, survivorCount, verifyChain } from './chain.ts';
export { type EngineStep, engineStep } from './engine.ts';
export { missingFrom, pooled } from './pool.ts';
export { parseSlot, roundIdOf, type Slot, slotKey } from './round-id.ts';
export { METRIC_COORDINATES, ringShapeOf, valueBitsOf } from './shape.ts';
export {
  createEngine,
  type EngineState,
  type Phase,
  type RunningSession,
  roundOf,
  stateHashOf,
} from './state.ts';
export * from './trainer.ts';
export * from './types.ts';
