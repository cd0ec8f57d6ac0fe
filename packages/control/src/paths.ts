import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where a daemon keeps its state unless told: $STARLING_STATE, or ~/.starling. */
export const defaultStateDirectory = (): string =>
  process.env['STARLING_STATE'] ?? join(homedir(), '.starling');

/** The Unix socket on which the daemon of a state directory serves this API. */
export const controlSocket = (stateDirectory: string): string =>
  join(stateDirectory, 'control.sock');
