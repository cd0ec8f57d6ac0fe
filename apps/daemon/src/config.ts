import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, errorMessage, type PeerId } from '@starling/core';
import { parsePeerId } from '@starling/crypto';
import { eventsConfigSchema } from '@starling/events';
import { parseHours, type ResourceLimits } from '@starling/node';
import { MEMBERSHIP_LIMITS } from '@starling/protocol-membership';
import { WEIGHT_MAX } from '@starling/protocol-rounds';
import type { Policy } from '@starling/rounds';
import { DEVICE_CHOICES, MEMORY_MIN, PRECISION_CHOICES } from '@starling/trainer';
import { type Document, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { apiSchema } from './api-config.ts';
import { checkpointsSchema } from './checkpoints-config.ts';
import { offersSchema } from './offers-config.ts';
import { servingSchemaOf } from './serving-config.ts';
import { logFormatSchema, telemetrySchema } from './telemetry-config.ts';

const peer = z
  .string()
  .refine((text) => parsePeerId(text) !== undefined, 'not a peer id (12D3KooW…)');

const VOTERS_MAX = MEMBERSHIP_LIMITS.votersMax;

const UNITS: Readonly<Record<string, number>> = {
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

const amount = z
  .union([z.number(), z.string().regex(/^\d+(\.\d+)? ?[MG]iB$/, 'give bytes, 512 MiB or 4 GiB')])
  .transform((given) => Math.floor(typeof given === 'number' ? given : bytesOf(given)));

const memory = amount.pipe(z.number().int().min(MEMORY_MIN));

/** Below this a frame of 256 KiB would take longer than a peer waits for it. */
const RATE_MIN = 128 * 2 ** 10;
const DISK_MIN = 2 ** 30;

const rate = z
  .union([
    z.number(),
    z.string().regex(/^\d+(\.\d+)? ?[KMG]iB\/s$/, 'give bytes a second, or 2 MiB/s'),
  ])
  .transform((given) =>
    Math.floor(typeof given === 'number' ? given : bytesOf(given.slice(0, -'/s'.length))),
  )
  .pipe(z.number().int().min(RATE_MIN));

const disk = z
  .union([z.number(), z.string().regex(/^\d+(\.\d+)? ?[MGT]iB$/, 'give bytes, 500 MiB or 20 GiB')])
  .transform((given) => Math.floor(typeof given === 'number' ? given : bytesOf(given)))
  .pipe(z.number().int().min(DISK_MIN));

const hours = z.string().refine((text) => parseHours(text) !== undefined, {
  message: 'give times of day such as 22:00-07:00',
});

const bytesOf = (text: string): number => Number.parseFloat(text) * UNITS[text.slice(-3)]!;

/** The daemon's configuration; everything has a default that works on one machine or a LAN. */
export const configSchema = z.strictObject({
  /** Names the swarm; peers of different networks never mix. */
  network: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,47}$/, 'use small letters, digits and hyphens')
    .default('starling'),
  listen: z.array(z.string()).default(['/ip4/0.0.0.0/tcp/0']),
  /** Addresses to tell others in place of the listen addresses. */
  announce: z.array(z.string()).default([]),
  bootstrap: z.array(z.string()).default([]),
  mdns: z.boolean().default(true),
  /** Listens nowhere; others reach this peer by its own connections, and through relays. */
  outgoingOnly: z.boolean().default(false),
  relay: z
    .strictObject({
      /** Carries connections of others; for peers that all can reach. */
      offer: z.boolean().default(false),
      maxConnections: z.number().int().min(1).max(4096).default(64),
      /** What one relayed connection may carry; all it likes unless told. */
      bytes: amount.pipe(z.number().int().positive()).optional(),
      seconds: z.number().int().positive().optional(),
      /** Lets others reach this peer through relays while they cannot without. */
      use: z.boolean().default(true),
    })
    .prefault({}),
  /** Asks the router for a port, by UPnP. */
  upnp: z.boolean().default(false),
  /** Contributes to sums but owns no chunk: for slow links and batteries. */
  light: z.boolean().default(false),
  policy: z
    .strictObject({
      /** Launchers whose jobs start without asking. */
      trust: z.array(peer).default([]),
      minPeers: z.number().int().min(3).default(3),
      /** Peers to have anything to do with; empty for all that the swarm lets in. */
      members: z.array(peer).default([]),
      /** Peers that may let in others beside `members`, and how many of them it takes. */
      vouching: z
        .strictObject({
          voters: z
            .array(peer)
            .refine((list) => list.length <= VOTERS_MAX, `at most ${VOTERS_MAX} voters`)
            .refine((list) => new Set(list).size === list.length, 'a voter is there twice')
            .default([]),
          least: z.number().int().min(1).default(1),
        })
        .refine(({ voters, least }) => voters.length === 0 || least <= voters.length, {
          path: ['least'],
          message: 'more than there are peers in policy.vouching.voters',
        })
        .prefault({}),
      /** Peers whose owners this one trusts, and how many of them must be in a sum with it. */
      company: z.array(peer).default([]),
      minCompany: z.number().int().min(0).max(1023).default(0),
      /** No model is signed whose loss on own validation data is more than so many times larger. */
      worseMax: z.number().min(1).max(1_000).optional(),
      /** By data set: what its updates may give away in all. */
      privacyBudget: z
        .record(
          z.string(),
          z.strictObject({
            epsilon: z.number().positive().max(1_000),
            delta: z.number().min(1e-30).max(0.01).default(1e-5),
          }),
        )
        .default({}),
      /** By data set: noise in training that hides single examples, whatever the job. */
      exampleNoise: z
        .record(
          z.string(),
          z.strictObject({
            clippingNorm: z.number().min(1e-6).max(1e6).default(1),
            noiseMultiplier: z.number().min(0.1).max(10_000),
          }),
        )
        .default({}),
    })
    .refine(({ company, minCompany }) => minCompany <= company.length, {
      path: ['minCompany'],
      message: 'more than there are peers in policy.company',
    })
    .prefault({}),
  resources: z
    .strictObject({
      /** Chunks that it adds up for others, beside a peer of weight 1. */
      weight: z.number().int().min(1).max(WEIGHT_MAX).default(1),
      /** Bytes a second over all streams, or such as `2 MiB/s`; no cap unless told. */
      upload: rate.optional(),
      download: rate.optional(),
      /** What models, states and the like may take of the disk; those not used for longest go. */
      disk: disk.default(20 * 2 ** 30),
      /** Of the daemon and its trainer together: above it, it stays out of new rounds. */
      memory: memory.optional(),
      /** Local times of day at which it takes part in new rounds; always when there are none. */
      hours: z.array(hours).default([]),
      pauseOnBattery: z.boolean().default(true),
      /** Part of the CPUs that others use from which on it stays out of new rounds. */
      pauseWhenBusy: z.number().positive().max(1).optional(),
      /** What the process that trains a job may take of this machine. */
      trainer: z
        .strictObject({
          /** `auto` takes the first that can train the job, and faster than the CPU. */
          device: z.enum(DEVICE_CHOICES).default('auto'),
          /** Of products and convolutions; `auto` takes float16 where it is as good. */
          precision: z.enum(PRECISION_CHOICES).default('float32'),
          /** Bytes, or a number with MiB or GiB; half of what is free unless told. */
          memory: memory.optional(),
          cpuThreads: z.number().int().positive().max(256).default(1),
          /** Part of the time in which it runs at all. */
          cpuShare: z.number().min(0.05).max(1).default(1),
          nice: z.number().int().min(0).max(19).default(10),
          secondsPerStep: z.number().positive().max(86_400).default(60),
        })
        .prefault({}),
    })
    .prefault({}),
  /** Where job and round events go, beside the API. */
  events: eventsConfigSchema.prefault({}),
  offers: offersSchema,
  checkpoints: checkpointsSchema,
  api: apiSchema,
  /** Models for clients, by the Open Inference Protocol; nothing listens unless told. */
  serving: servingSchemaOf(memory),
  log: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  logFormat: logFormatSchema,
  telemetry: telemetrySchema,
});
export type Config = z.infer<typeof configSchema>;
/** A configuration as it is written: what is absent has its default. */
export type ConfigInput = z.input<typeof configSchema>;

/** What this peer's owner lets in. */
export const policyOf = ({ policy }: Pick<Config, 'policy'>): Policy => ({
  trust: policy.trust as PeerId[],
  minPeers: policy.minPeers,
  company: { peers: policy.company as PeerId[], least: policy.minCompany },
  ...(policy.worseMax !== undefined && { worseMax: policy.worseMax }),
  privacyBudgets: new Map(Object.entries(policy.privacyBudget)),
  exampleNoise: new Map(Object.entries(policy.exampleNoise)),
});

/** What this peer's owner lets Starling take. */
export const limitsOf = ({ resources }: Config): ResourceLimits => ({
  upload: resources.upload,
  download: resources.download,
  memory: resources.memory,
  hours: resources.hours.map((text) => parseHours(text)!),
  pauseOnBattery: resources.pauseOnBattery,
  pauseWhenBusy: resources.pauseWhenBusy,
});

/**
 * Reads a configuration from YAML text.
 * @param file its name, for messages
 * @throws ConfigError that names the key and the line
 */
export function parseConfig(text: string, file: string): Config {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const syntax = document.errors[0];
  if (syntax !== undefined) throw new ConfigError(file, syntax.message);
  const parsed = configSchema.safeParse(contentOf(document, file) ?? {});
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const path = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0]!] : issue.path;
  const node = document.getIn(path as (string | number)[], true) as
    | { range?: [number] }
    | undefined;
  const line = node?.range ? lines.linePos(node.range[0]).line : 1;
  const key = path.join('.') || 'configuration';
  throw new ConfigError(`${file}, line ${line}, ${key}`, issue.message);
}

/** What a document says; an alias of nothing, or of too much, shows only here. */
function contentOf(document: Document, file: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    throw new ConfigError(file, errorMessage(error));
  }
}

/** Where `starling init` writes the configuration of a daemon. */
export const ownConfigFile = (stateDirectory: string): string =>
  join(stateDirectory, 'starling.yaml');

/** The file that was named, else that of the state directory, else none. */
export function configFileOf(stateDirectory: string, named?: string): string | undefined {
  const own = ownConfigFile(stateDirectory);
  return named ?? (existsSync(own) ? own : undefined);
}

/** The configuration of a file; the defaults when there is none. */
export function loadConfig(file: string | undefined): Config {
  if (file === undefined) return configSchema.parse({});
  try {
    return parseConfig(readFileSync(file, 'utf8'), file);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError('config', `cannot read ${file} (${errorMessage(error)})`);
  }
}

/**
 * A configuration refined by flags: each of `overrides` is a JSON object whose keys win, inside
 * `policy`, `relay` and `resources.trainer` key by key; who is trusted is added to those the file
 * trusts.
 * @throws ConfigError that names the key
 */
export function withOverrides(file: Config, overrides: readonly string[]): Config {
  return overrides.reduce((config, text) => refined(config, readOverride(text)), file);
}

/** Checked at once: what an override says wrong must not be merged with the next one. */
function refined(config: Config, { policy, relay, resources, ...rest }: Partial<Config>): Config {
  // Whatever it is, the schema says so; only a list can be added to.
  const own: unknown = policy?.trust ?? [];
  const parsed = configSchema.safeParse({
    ...config,
    ...rest,
    policy: {
      ...config.policy,
      ...policy,
      trust: Array.isArray(own) ? [...config.policy.trust, ...own] : own,
    },
    relay: { ...config.relay, ...relay },
    resources: {
      ...config.resources,
      ...resources,
      trainer: { ...config.resources.trainer, ...resources?.trainer },
    },
  });
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new ConfigError(issue.path.join('.') || 'configuration', issue.message);
}

function readOverride(text: string): Partial<Config> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ConfigError('set', errorMessage(error), 'Give a JSON object');
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new ConfigError('set', `${text} is no JSON object`);
}
