import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type ControlClient,
  type ControlTarget,
  controlSocket,
  createControlClient,
  defaultStateDirectory,
} from '@starling/control';
import { ConfigError } from '@starling/core';
import { reasonOf } from './files.ts';
import type { RemoteOptions, StateOption } from './options.ts';

type Where = StateOption & RemoteOptions;
type Environment = Readonly<Record<string, string | undefined>>;

export const stateDirectoryOf = ({ state }: StateOption): string =>
  state ?? defaultStateDirectory();

/** Commands import this file when they run, since it brings the schemas with it. */
export const clientOf = (options: Where): ControlClient => createControlClient(targetOf(options));

/** Whether the daemon may be on another machine. */
export const isRemote = (options: Where): boolean => addressOf(options, process.env) !== undefined;

/**
 * The daemon that options and environment name. An option goes before the environment, so --state
 * names a daemon of this machine whatever STARLING_API says.
 * @throws ConfigError when a file cannot be read
 */
export function targetOf(options: Where, environment: Environment = process.env): ControlTarget {
  const url = addressOf(options, environment);
  if (url === undefined) {
    refuseIdle(options);
    return controlSocket(stateDirectoryOf(options));
  }
  const ca = options.ca ?? environment['STARLING_CA'];
  return { url, token: tokenOf(options, environment), ca: ca && read('ca', ca) };
}

const addressOf = ({ api, state }: Where, environment: Environment): string | undefined =>
  api ?? (state === undefined ? environment['STARLING_API'] || undefined : undefined);

function tokenOf(options: Where, environment: Environment): string {
  const named = options.tokenFile ?? environment['STARLING_TOKEN_FILE'];
  return read('token-file', named ?? join(stateDirectoryOf(options), 'api-token')).trim();
}

function refuseIdle({ tokenFile, ca }: Where): void {
  const idle = tokenFile === undefined ? (ca === undefined ? undefined : 'ca') : 'token-file';
  if (idle === undefined) return;
  throw new ConfigError(idle, 'has no effect without --api', 'Name the daemon with --api URL');
}

function read(option: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const hint =
      option === 'ca'
        ? 'Name the PEM file of the authority of its certificate'
        : "Copy the file api-token of that daemon's state directory, and name it with --token-file";
    throw new ConfigError(option, `cannot read ${path} (${reasonOf(error)})`, hint);
  }
}
