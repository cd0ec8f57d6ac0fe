import { open, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ConfigError, ProtocolError } from '@starling/core';
import { configFileOf, configSchema } from '@starling/daemon';
import { CommanderError } from 'commander';
import { clientOf, stateDirectoryOf } from './client.ts';
import { passSignals, readiness, spawnDaemon, untilEnd } from './daemon-process.ts';
import { EXIT } from './failures.ts';
import { makeDirectory, notWritable } from './make-directory.ts';
import type { JsonOption, StateOption } from './options.ts';
import { note, print, printFacts, printJson, warn } from './output.ts';

export interface UpOptions extends JsonOption, StateOption {
  readonly config?: string;
  readonly listen?: readonly string[];
  readonly bootstrap?: readonly string[];
  readonly network?: string;
  readonly trust?: readonly string[];
  readonly device?: string;
  readonly detach?: true;
}

/** Starts a daemon in front, where it stays until it ends, or in the background. */
export async function startDaemon(options: UpOptions): Promise<void> {
  const state = resolve(stateDirectoryOf(options));
  await refuseSecond(state);
  await makeDirectory(state);
  const overrides = checked({
    ...(options.listen && { listen: options.listen }),
    ...(options.bootstrap && { bootstrap: options.bootstrap }),
    ...(options.network && { network: options.network }),
    ...(options.trust && { policy: { trust: options.trust } }),
    ...(options.device && { resources: { trainer: { device: options.device } } }),
  });
  const args = ['--state', state, '--set', JSON.stringify(overrides)];
  if (options.config !== undefined) args.push('--config', options.config);
  await (options.detach ? inBackground : inFront)({ state, args, options });
}

interface Start {
  readonly state: string;
  readonly args: readonly string[];
  readonly options: UpOptions;
}

/** The lock in the state directory decides; this asks first, for a better message. */
async function refuseSecond(state: string): Promise<void> {
  let pid: number;
  try {
    ({ pid } = await clientOf({ state }).status());
  } catch (error) {
    if (error instanceof ConfigError) return;
    throw error;
  }
  throw new ConfigError(
    'daemon',
    `already running on ${state} as process ${pid}`,
    'See `starling status`, end it with `starling stop`, or choose another --state',
  );
}

/** Options are wrong usage; what a configuration file says is for the daemon to check. */
function checked(overrides: object): object {
  const parsed = configSchema.safeParse(overrides);
  if (parsed.success) return overrides;
  const { path, message } = parsed.error.issues[0]!;
  const nested: Readonly<Record<string, string>> = { policy: 'trust', resources: 'device' };
  const option = nested[String(path[0])] ?? String(path[0]);
  throw new CommanderError(EXIT.usage, 'starling.option', `--${option}: ${message}`);
}

async function inFront({ state, args, options }: Start): Promise<void> {
  const child = spawnDaemon({ args, output: 'inherit', detached: false });
  passSignals(child);
  const outcome = await readiness(child);
  if (outcome.kind === 'up') {
    await announce(state, options);
    const fault = await untilEnd(child);
    if (fault === undefined) return;
    throw new ProtocolError('daemon', `the daemon ended by ${fault}. Its log is above`);
  }
  await untilEnd(child);
  // The daemon has told standard error itself.
  if (options.json) {
    printJson({ error: outcome.kind === 'failed' ? outcome.error : `ended by ${outcome.how}` });
  }
  process.exitCode = EXIT.failure;
}

async function inBackground({ state, args, options }: Start): Promise<void> {
  const { path, file, size } = await openLog(state);
  const child = spawnDaemon({ args, output: file.fd, detached: true });
  const outcome = await readiness(child);
  await file.close();
  if (outcome.kind === 'up') {
    if (child.connected) child.disconnect();
    child.unref();
    await announce(state, options, path);
    return;
  }
  const told = outcome.kind === 'failed' ? outcome.error : await lastWords(path, size);
  const ended = outcome.kind === 'ended' ? outcome.how : '';
  throw new ProtocolError(
    'daemon',
    told ?? `the daemon ended by ${ended} before it was up. See ${path}`,
  );
}

async function openLog(state: string) {
  const path = join(state, 'daemon.log');
  try {
    const file = await open(path, 'a', 0o600);
    return { path, file, size: (await stat(path)).size };
  } catch (error) {
    throw notWritable(state, error);
  }
}

/** The error line that a daemon wrote into its log since it had `size` bytes. */
async function lastWords(path: string, size: number): Promise<string | undefined> {
  const text = (await readFile(path)).subarray(size).toString('utf8');
  const line = text.split('\n').findLast((each) => each.startsWith('starling: '));
  return line?.slice('starling: '.length);
}

async function announce(state: string, options: UpOptions, log?: string): Promise<void> {
  const status = await clientOf({ state }).status();
  const { peerId, addresses, network, pid, warnings, apiUrl } = status;
  if (options.json) {
    const told = { peerId, addresses, network, pid, warnings, apiUrl };
    return printJson({ ...told, stateDirectory: state, log: log ?? null });
  }
  const config = configFileOf(state, options.config);
  printFacts([
    ['peer id', peerId],
    ['network', network],
    ['state', state],
    ...(config === undefined ? [] : ([['configuration', config]] as const)),
    ...(log === undefined ? [] : ([['log', log]] as const)),
    ...(apiUrl === null ? [] : ([['api', apiUrl]] as const)),
  ]);
  for (const address of addresses) print(`  ${address}`);
  // In front the log is on the terminal, and has said so.
  if (log !== undefined) {
    for (const warning of warnings) warn(`warning: ${warning}`);
  }
  if (log !== undefined) note('`starling status` shows it, `starling stop` ends it');
}
