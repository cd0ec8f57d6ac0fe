export { BEHAVIOURS, type Behaviour } from './adversaries.ts';
export { drawFaults, type FaultMix, NO_FAULTS } from './faults.ts';
export { type SimOptions, type SimReport, type SimRound, simulate } from './simulate.ts';
