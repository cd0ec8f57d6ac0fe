export * from './assembly/index.ts';
export { fromBitmap, toBitmap } from './bitmap.ts';
export { keepersOf } from './owners.ts';
export * from './ring/index.ts';
export { helloOf } from './secrets.ts';
export { type Step, step } from './session.ts';
export { createSession, type SessionState } from './state.ts';
export * from './types.ts';
export * from './wide/index.ts';
