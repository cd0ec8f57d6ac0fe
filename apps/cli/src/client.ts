import {
  type ControlClient,
  controlSocket,
  createControlClient,
  defaultStateDirectory,
} from '@starling/control';
import type { StateOption } from './options.ts';

export const stateDirectoryOf = ({ state }: StateOption): string =>
  state ?? defaultStateDirectory();

/** Commands import this file when they run, since it brings the schemas with it. */
export const clientOf = (options: StateOption): ControlClient =>
  createControlClient(controlSocket(stateDirectoryOf(options)));
