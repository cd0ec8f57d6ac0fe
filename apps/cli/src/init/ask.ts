import { errorMessage } from '@starling/core';
import { plural } from '../output.ts';
import { type Answers, faultOf, type Share, shareOf, swarmFault } from './answers.ts';
import { lookAt } from './data-answer.ts';
import type { MachineFacts } from './machine.ts';

/** Asks people; a test answers in their place. */
export interface Prompter {
  /** Asks again until `validate` says true; what it says else is shown. */
  input(question: {
    readonly message: string;
    readonly default?: string;
    readonly validate?: (text: string) => true | string | Promise<true | string>;
  }): Promise<string>;
  select<T>(question: {
    readonly message: string;
    readonly choices: readonly { readonly name: string; readonly value: T }[];
  }): Promise<T>;
  confirm(question: { readonly message: string; readonly default: boolean }): Promise<boolean>;
}

export interface Asking {
  readonly prompter: Prompter;
  readonly machine: MachineFacts;
  /** Answers that are there already, by flags or a file: they are not asked for. */
  readonly given: Partial<Answers>;
  readonly defaults: Answers;
  readonly now: number;
}

/** The five questions. */
export async function askAll(asking: Asking): Promise<Answers> {
  return {
    ...asking.defaults,
    ...(await askSwarm(asking)),
    ...(await askData(asking)),
    ...(await askShare(asking)),
    ...(await askTimes(asking)),
    ...(await askTrust(asking)),
    ...asking.given,
  };
}

const orTrue = (fault: string | undefined): true | string => fault ?? true;

async function askSwarm({ prompter, given, defaults, now }: Asking): Promise<Partial<Answers>> {
  if (given.swarm !== undefined) return {};
  const swarm = await prompter.input({
    message: '1 of 5  Which swarm? Its name, or an invite (starling1-…)',
    default: defaults.swarm,
    validate: (text) => orTrue(swarmFault(text, now)),
  });
  return { swarm };
}

async function askData({ prompter, given }: Asking): Promise<Partial<Answers>> {
  if (given.data !== undefined) return {};
  const data = await prompter.input({
    message: '2 of 5  Which data do you offer? A path, with options as --task; empty for none yet',
    validate: async (text) => {
      if (text.trim() === '') return true;
      try {
        await lookAt(text);
        return true;
      } catch (error) {
        return errorMessage(error);
      }
    },
  });
  return { data: data.trim() === '' ? null : data.trim() };
}

const SHARE_KEYS = ['cpuThreads', 'cpuShare', 'memory', 'upload'] as const;

async function askShare(asking: Asking): Promise<Partial<Answers>> {
  const { prompter, machine, given } = asking;
  if (SHARE_KEYS.some((key) => given[key] !== undefined)) return {};
  const words = (share: Share): string => {
    const { cpuThreads, cpuShare, memory, upload } = shareOf(share, machine);
    const time = cpuShare < 1 ? ` for ${100 * cpuShare} % of the time` : '';
    const rate = upload === null ? 'no cap on the network' : `${upload} up`;
    return `${plural(cpuThreads, 'thread')}${time}, ${memory} of memory, ${rate}`;
  };
  const share = await prompter.select<Share | 'own'>({
    message: `3 of 5  How much of this machine's ${plural(machine.cpus, 'CPU')} may it take?`,
    choices: [
      { name: `half of it: ${words('half')}`, value: 'half' },
      { name: `little: ${words('little')}`, value: 'little' },
      { name: `nearly all: ${words('all')}`, value: 'all' },
      { name: 'numbers of my own', value: 'own' },
    ],
  });
  return share === 'own' ? askNumbers(asking) : shareOf(share, machine);
}

async function askNumbers({ prompter, machine }: Asking): Promise<Partial<Answers>> {
  const half = shareOf('half', machine);
  const cpuThreads = await prompter.input({
    message: 'Threads',
    default: String(half.cpuThreads),
    validate: (text) => orTrue(faultOf({ resources: { trainer: { cpuThreads: Number(text) } } })),
  });
  const memory = await prompter.input({
    message: 'Memory, as 512 MiB or 4 GiB',
    default: half.memory,
    validate: (text) => orTrue(memoryFault(text)),
  });
  const upload = await prompter.input({
    message: 'Upload at most, as 2 MiB/s; empty for no cap',
    validate: (text) => orTrue(text === '' ? undefined : faultOf({ resources: { upload: text } })),
  });
  return {
    ...{ cpuThreads: Number(cpuThreads), cpuShare: 1, memory },
    upload: upload === '' ? null : upload,
  };
}

/** A number of bytes, which the file may hold, is no answer that a person would check. */
export const memoryFault = (text: string): string | undefined =>
  faultOf({ resources: { memory: text } });

const NIGHT = '22:00-07:00';

async function askTimes({ prompter, machine, given }: Asking): Promise<Partial<Answers>> {
  if (given.hours !== undefined) return {};
  const battery = machine.hasBattery
    ? [{ name: 'at any hour, on the battery too', value: 'battery' as const }]
    : [];
  const suffix = machine.hasBattery ? ', but not on the battery' : '';
  const when = await prompter.select<'always' | 'battery' | 'night' | 'own'>({
    message: '4 of 5  When may it train?',
    choices: [
      { name: `at any hour${suffix}`, value: 'always' },
      ...battery,
      { name: `at night, ${NIGHT}${suffix}`, value: 'night' },
      { name: `at hours of my own${suffix}`, value: 'own' },
    ],
  });
  const pauseOnBattery = when !== 'battery';
  if (when !== 'own') return { hours: when === 'night' ? [NIGHT] : [], pauseOnBattery };
  const hours = await prompter.input({
    message: 'Hours, as 22:00-07:00; several with commas',
    default: NIGHT,
    validate: (text) => orTrue(faultOf({ resources: { hours: listOf(text) } })),
  });
  return { hours: [...listOf(hours)], pauseOnBattery };
}

async function askTrust({ prompter, given }: Asking): Promise<Partial<Answers>> {
  if (given.trust !== undefined) return {};
  const trusts = await prompter.select<boolean>({
    message: '5 of 5  Whose jobs may train on your data without asking you?',
    choices: [
      { name: "nobody's: each job waits for my approval", value: false },
      { name: 'those of launchers that I name', value: true },
    ],
  });
  if (!trusts) return { trust: [] };
  const trust = await prompter.input({
    message: 'Their peer ids (12D3KooW…), with commas',
    validate: (text) => {
      const peers = listOf(text);
      return peers.length === 0
        ? 'name one at least'
        : orTrue(faultOf({ policy: { trust: peers } }));
    },
  });
  return { trust: [...listOf(trust)] };
}

export const listOf = (text: string): readonly string[] =>
  text.split(/[\s,]+/).filter((each) => each !== '');
