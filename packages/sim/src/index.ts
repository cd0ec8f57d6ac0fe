export { BEHAVIOURS, type Behaviour } from './adversaries/index.ts';
export { type FaultMix, NO_FAULTS } from './faults.ts';
export type { JournalStage, JournalWrite } from './journal-watch.ts';
export { faultsOf, type SimOptions, type SimReport, type SimRound, simulate } from './simulate.ts';
export { verificationSeconds } from './unit-costs.ts';
