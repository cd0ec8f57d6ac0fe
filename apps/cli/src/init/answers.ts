import { ConfigError, DecodeError } from '@starling/core';
import { configSchema } from '@starling/daemon';
import { checkInvite, parseInvite } from '@starling/protocol-membership';
import { z } from 'zod';
import { parseYaml } from '../yaml-file.ts';
import { amountText, type MachineFacts } from './machine.ts';

/** What a volunteer is asked. A file of `--answers` has some of these keys. */
export const answersSchema = z.strictObject({
  /** The name of a swarm, or an invite to one. */
  swarm: z.string(),
  /** A path, and options as `starling data add` takes them; null for none yet. */
  data: z.string().nullable(),
  cpuThreads: z.number().int(),
  cpuShare: z.number(),
  /** Of daemon and trainer together, as `4 GiB`. */
  memory: z.string(),
  /** As `2 MiB/s`; null for no cap. */
  upload: z.string().nullable(),
  /** Such as 22:00-07:00; empty for always. */
  hours: z.array(z.string()),
  pauseOnBattery: z.boolean(),
  /** Launchers whose jobs start without asking. */
  trust: z.array(z.string()),
});
export type Answers = z.infer<typeof answersSchema>;

const MIB = 2 ** 20;
/** A trainer of less trains nothing that is worth it. */
const MEMORY_LEAST = 768 * MIB;

export type Share = 'little' | 'half' | 'all';

/** What a share of a machine is in its numbers. */
export function shareOf(share: Share, { cpus, memory }: MachineFacts) {
  const part = { little: 0.25, half: 0.5, all: 0.9 }[share];
  const threads = share === 'all' ? cpus : Math.max(1, Math.floor(cpus * part));
  return {
    cpuThreads: threads,
    // Of one CPU half can only be given in time.
    cpuShare: cpus === 1 && share !== 'all' ? part : 1,
    memory: amountText(Math.max(MEMORY_LEAST, memory * part)),
    upload: share === 'little' ? '1 MiB/s' : null,
  };
}

export const defaultAnswers = (machine: MachineFacts): Answers => ({
  ...{ swarm: 'starling', data: null, hours: [], pauseOnBattery: true, trust: [] },
  ...shareOf('half', machine),
});

/**
 * @param file its name, for messages
 * @throws ConfigError that names the line and the key
 */
export const parseAnswers = (text: string, file: string): Partial<Answers> =>
  // YAML has no undefined: a key is there with a value, or is not there.
  parseYaml(text, { file, schema: answersSchema.partial(), what: 'answers' }) as Partial<Answers>;

export const isInvite = (swarm: string): boolean => /^\s*starling1-/.test(swarm);

/** @param now milliseconds since 1970 */
export function swarmFault(swarm: string, now: number): string | undefined {
  if (!isInvite(swarm)) return faultOf({ network: swarm.trim() });
  try {
    const verdict = checkInvite(parseInvite(swarm), Math.floor(now / 1000));
    return verdict.ok ? undefined : verdict.reason;
  } catch (error) {
    if (error instanceof DecodeError) return `no whole invite (${error.message}): copy it again`;
    throw error;
  }
}

/** Why a part of a configuration cannot be, in words; undefined when it can. */
export function faultOf(part: unknown): string | undefined {
  const parsed = configSchema.safeParse(part);
  return parsed.success ? undefined : parsed.error.issues[0]!.message;
}

/** @throws ConfigError that names the answer */
export function checkAnswers(answers: Answers, now: number): void {
  const { swarm, hours, trust, memory, upload, cpuThreads, cpuShare } = answers;
  const faults = {
    swarm: swarmFault(swarm, now),
    memory: faultOf({ resources: { memory } }),
    upload: upload === null ? undefined : faultOf({ resources: { upload } }),
    hours: faultOf({ resources: { hours } }),
    trust: faultOf({ policy: { trust } }),
    threads: faultOf({ resources: { trainer: { cpuThreads } } }),
    'cpu-share': faultOf({ resources: { trainer: { cpuShare } } }),
  };
  for (const [key, fault] of Object.entries(faults)) {
    if (fault !== undefined) throw new ConfigError(key, fault, 'Change this answer');
  }
}
