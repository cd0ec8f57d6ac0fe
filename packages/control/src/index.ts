export { type ControlClient, createControlClient } from './client.ts';
export * from './schemas.ts';
export { type ControlHandlers, type ControlServer, createControlServer } from './server.ts';
