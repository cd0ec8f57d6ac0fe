export { BEHAVIOURS, type Behaviour } from './adversaries/index.ts';
export { addCoverage, type CoverageTable, missingIn } from './coverage.ts';
export { FAULT_KINDS, type FaultMix, NO_FAULTS } from './faults.ts';
export type { JournalStage, JournalWrite } from './journal-watch.ts';
export { faultsOf, simulate } from './simulate.ts';
export type { SimJob, SimOptions, SimReport, SimRound, SimState } from './types.ts';
export { verificationSeconds } from './unit-costs.ts';
