import { join, resolve } from 'node:path';
import { ConfigError } from '@starling/core';
import { configSchema, ownConfigFile } from '@starling/daemon';
import { clientOf, stateDirectoryOf } from '../client.ts';
import { makeDirectory } from '../make-directory.ts';
import type { JsonOption, StateOption } from '../options.ts';
import { coloured, note, plural, print, printJson } from '../output.ts';
import { type Answers, checkAnswers, defaultAnswers, isInvite } from './answers.ts';
import { askAll, type Prompter } from './ask.ts';
import { configurationOf, configurationText } from './configuration.ts';
import { lookAt, type OfferedData, quoted } from './data-answer.ts';
import { type MachineFacts, machineFacts } from './machine.ts';
import { isThere, writeKeeping } from './write.ts';

export interface InitOptions extends JsonOption, StateOption {
  readonly yes?: true;
  readonly force?: true;
}

export interface InitParts {
  /** Undefined where nobody can be asked. */
  readonly prompter: Prompter | undefined;
  readonly machine?: MachineFacts;
  /** Milliseconds since 1970. */
  readonly now?: number;
}

/**
 * Writes a configuration from answers: those that are given, and those of whoever sits there.
 * @throws ConfigError that names the answer that cannot be, or the file
 */
export async function runInit(
  given: Partial<Answers>,
  options: InitOptions,
  { prompter, machine = machineFacts(), now = Date.now() }: InitParts,
): Promise<void> {
  const state = resolve(stateDirectoryOf(options));
  const path = ownConfigFile(state);
  if (prompter === undefined) await refuseOverwriting(path, options);
  const defaults = defaultAnswers(machine);
  const answers =
    prompter === undefined
      ? { ...defaults, ...given }
      : await askAll({ prompter, machine, given, defaults, now });
  checkAnswers(answers, now);
  const data = answers.data === null ? undefined : await lookAt(answers.data);
  const configuration = configurationOf(answers);
  const text = configurationText(configuration);
  // Whatever the answers were, the daemon must take it.
  configSchema.parse(configuration);
  if (!options.json) show(text, data);
  if (prompter !== undefined && !(await isWanted(prompter, path))) {
    note('nothing was written');
    process.exitCode = 1;
    return;
  }
  await makeDirectory(state);
  const backup = await writeKeeping(path, text, now);
  const invite = isInvite(answers.swarm) ? await keepInvite(state, answers.swarm, now) : undefined;
  const next = await nextCommands({ state, options, data, invite });
  if (options.json) printJson({ path, backup, configuration, next });
  else tell(path, backup, next);
}

async function refuseOverwriting(path: string, { force }: InitOptions): Promise<void> {
  if (force || !(await isThere(path))) return;
  const hint = 'Add --force, which keeps the old one beside it, or choose another --state';
  throw new ConfigError('init', `there is a configuration at ${path}`, hint);
}

async function isWanted(prompter: Prompter, path: string): Promise<boolean> {
  if (!(await isThere(path))) {
    return prompter.confirm({ message: `Write it to ${path}?`, default: true });
  }
  const message = `${path} is there. Replace it, and keep the old one beside it?`;
  return prompter.confirm({ message, default: false });
}

function show(text: string, data: OfferedData | undefined): void {
  note(`\n${coloured('dim', text, process.stderr)}`);
  if (data === undefined) return;
  note(`${data.name}: ${plural(data.examples, 'example')} for task ${data.task}\n`);
}

/** An invite is a secret: it goes into a file, not over the screen. */
async function keepInvite(state: string, swarm: string, now: number): Promise<string> {
  const path = join(state, 'invite.txt');
  await writeKeeping(path, `${swarm.replaceAll(/\s/g, '')}\n`, now);
  return path;
}

interface Next {
  readonly state: string;
  readonly options: InitOptions;
  readonly data: OfferedData | undefined;
  readonly invite: string | undefined;
}

async function nextCommands({ state, options, data, invite }: Next): Promise<readonly string[]> {
  const where = options.state === undefined ? '' : ` --state ${quoted(state)}`;
  const running = await clientOf({ state })
    .status()
    .catch(() => undefined);
  return [
    ...(running === undefined ? [] : [`starling stop${where}`]),
    `starling up --detach${where}`,
    ...(invite === undefined ? [] : [`starling swarm join -${where} < ${quoted(invite)}`]),
    ...(data === undefined ? [] : [`starling ${data.command}${where}`]),
    `starling jobs${where}`,
  ];
}

function tell(path: string, backup: string | null, next: readonly string[]): void {
  print(`wrote ${path}`);
  if (backup !== null) print(`the old one is ${backup}`);
  print('\nNext:');
  for (const command of next) print(`  ${command}`);
}
