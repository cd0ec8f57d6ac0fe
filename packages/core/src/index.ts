export * from './bytes.ts';
export * from './codec.ts';
export * from './errors.ts';
export * from './ids.ts';
export * from './limits.ts';
export { remembered } from './memo.ts';
export { packWire, unpackWire, type Wire } from './msgpack.ts';
export * from './ports.ts';
