export { BEHAVIOURS, type Behaviour } from './adversaries.ts';
export { type FaultMix, NO_FAULTS } from './faults.ts';
export { faultsOf, type SimOptions, type SimReport, type SimRound, simulate } from './simulate.ts';
