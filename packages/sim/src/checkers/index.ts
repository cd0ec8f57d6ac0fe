export { agreement } from './agreement.ts';
export type { Checker, Observation } from './checker.ts';
export { exactSum } from './exact-sum.ts';
export { neverBoth } from './never-both.ts';
export { noEquivocation } from './no-equivocation.ts';
export { Rosters } from './rosters.ts';
export { belowThreshold } from './threshold.ts';
export { updateOnce } from './update-once.ts';
