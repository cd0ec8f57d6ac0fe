import { z } from 'zod';
import { EVENT_TYPES } from './event-schema.ts';

/** It names the sink's place in the outbox: who renames a sink begins anew. */
const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,47}$/, 'use small letters, digits and hyphens, at most 48');
const file = z.string().min(1);
const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'not the name of a variable');
const timeoutSeconds = z.number().positive().max(300).default(15);

const pattern = z.string().refine(isPattern, {
  message: `no type of event is like that; they are ${EVENT_TYPES.join(', ')}`,
});
const wanted = {
  types: z.array(pattern).default([]),
  /** Names or ids of jobs. */
  jobs: z.array(z.string().min(1)).default([]),
};

/** Secrets stand in files or in the environment, never in the configuration itself. */
const oneSource = (what: string) => ({
  message: `give either ${what}File or ${what}Env`,
});

const webhook = z
  .strictObject({
    ...{ name, ...wanted, timeoutSeconds },
    // A request to such an address fails, and its error would show the password.
    url: z.url({ protocol: /^https?$/, abort: true }).refine((url) => !hasLogin(new URL(url)), {
      message: 'an address takes no name and password here; the receiver checks the signature',
    }),
    secretFile: file.optional(),
    secretEnv: variable.optional(),
    /** The secret before: receivers that have only it go on to understand. */
    previousSecretFile: file.optional(),
  })
  .refine(
    ({ secretFile, secretEnv }) => (secretFile === undefined) !== (secretEnv === undefined),
    oneSource('secret'),
  );

const password = { passwordFile: file.optional(), passwordEnv: variable.optional() };
const atMostOne = ({ passwordFile, passwordEnv }: PasswordSource): boolean =>
  passwordFile === undefined || passwordEnv === undefined;

const amqp = z
  .strictObject({
    ...{ name, ...wanted, timeoutSeconds, ...password },
    url: z
      .url({ protocol: /^amqps?$/, abort: true })
      .refine((url) => new URL(url).password === '', {
        message: 'a password does not belong into the configuration; give passwordFile',
      }),
    username: z.string().min(1).optional(),
    caFile: file.optional(),
    exchange: z.string().min(1).max(127).default('starling'),
    /** Declared and bound to everything; without it, events that no queue wants are gone. */
    queue: z.string().min(1).max(127).optional(),
  })
  .refine(atMostOne, oneSource('password'));

const kafka = z.strictObject({
  ...{ name, ...wanted, timeoutSeconds },
  brokers: z.array(z.string().regex(/^[^:\s]+:\d{1,5}$/, 'give HOST:PORT')).min(1),
  topic: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,249}$/)
    .default('starling'),
  tls: z.boolean().default(false),
  caFile: file.optional(),
  sasl: z
    .strictObject({
      mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']),
      username: z.string().min(1),
      ...password,
    })
    .refine(atMostOne, oneSource('password'))
    .optional(),
});

/** The section `events` of a daemon's configuration. */
export const eventsConfigSchema = z
  .strictObject({
    webhooks: z.array(webhook).default([]),
    amqp: z.array(amqp).default([]),
    kafka: z.array(kafka).default([]),
  })
  .superRefine(({ webhooks, amqp: brokers, kafka: topics }, context) => {
    const names = [...webhooks, ...brokers, ...topics].map((sink) => sink.name);
    const twice = names.find((each, i) => names.indexOf(each) !== i);
    if (twice === undefined) return;
    context.addIssue({ code: 'custom', message: `two sinks are called "${twice}"` });
  });

export type EventsConfig = z.infer<typeof eventsConfigSchema>;
export type WebhookConfig = z.infer<typeof webhook>;
export type AmqpConfig = z.infer<typeof amqp>;
export type KafkaConfig = z.infer<typeof kafka>;
export interface PasswordSource {
  readonly passwordFile?: string | undefined;
  readonly passwordEnv?: string | undefined;
}

const hasLogin = ({ username, password }: URL): boolean => username !== '' || password !== '';

function isPattern(text: string): boolean {
  if (!text.endsWith('*')) return (EVENT_TYPES as readonly string[]).includes(text);
  return EVENT_TYPES.some((type) => type.startsWith(text.slice(0, -1)));
}
