export * from './messages.ts';
export * from './parameters.ts';
