import type { OracleCase } from './oracle-case.ts';
import { elementwiseOracles } from './oracle-elementwise.ts';
import { indexingOracles } from './oracle-indexing.ts';
import { layerOracles } from './oracle-layers.ts';

/** Every kernel that the training build runs, on several shapes. */
export const ORACLE_CASES: readonly OracleCase[] = [
  ...elementwiseOracles,
  ...layerOracles,
  ...indexingOracles,
];
