export * from './cells.ts';
export {
  findGraphParameters,
  type GraphParameters,
  type GraphRequest,
  WIDE_PEERS_MAX,
} from './graph-parameters.ts';
export * from './harary.ts';
