export * from './bytes.ts';
export * from './codec.ts';
export * from './errors.ts';
export * from './ids.ts';
export * from './limits.ts';
export { type Wire, packWire, unpackWire } from './msgpack.ts';
export * from './ports.ts';
