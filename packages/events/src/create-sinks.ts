import { readFileSync } from 'node:fs';
import { ConfigError, errorMessage } from '@starling/core';
import type {
  AmqpConfig,
  EventsConfig,
  KafkaConfig,
  PasswordSource,
  WebhookConfig,
} from './config-schema.ts';
import type { Wanted } from './filter.ts';
import type { Sink, SinkStatus } from './sink.ts';
import { AmqpSink } from './sinks/amqp.ts';
import { KafkaSink } from './sinks/kafka.ts';
import { webhookKey } from './sinks/signature.ts';
import { WebhookSink } from './sinks/webhook.ts';

export interface NamedSink {
  readonly name: string;
  readonly kind: SinkStatus['kind'];
  readonly target: string;
  readonly wanted: Wanted;
  readonly sink: Sink;
}

/** The rest of the world, as sinks see it. */
export interface Outside {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/**
 * The sinks of a configuration. No connection is made yet.
 * @throws ConfigError that names the secret that is missing
 */
export function createSinks(config: EventsConfig, outside: Outside): readonly NamedSink[] {
  return [
    ...config.webhooks.map((each) => webhookOf(each, outside)),
    ...config.amqp.map((each) => amqpOf(each, outside)),
    ...config.kafka.map((each) => kafkaOf(each, outside)),
  ];
}

function webhookOf(config: WebhookConfig, { now, environment }: Outside): NamedSink {
  const { name, url, timeoutSeconds, secretFile, secretEnv, previousSecretFile } = config;
  const key = `events.webhooks.${name}.secret`;
  const secrets = [
    secretFile === undefined ? ofVariable(key, secretEnv!, environment) : ofFile(key, secretFile),
    ...(previousSecretFile === undefined ? [] : [ofFile(key, previousSecretFile)]),
  ];
  const keys = secrets.map((secret) => webhookKey(secret, key));
  const sink = new WebhookSink({ url, keys, timeoutMs: 1000 * timeoutSeconds, now });
  return { name, kind: 'webhook', target: originOf(url), wanted: config, sink };
}

function amqpOf(config: AmqpConfig, { environment }: Outside): NamedSink {
  const { name, url, username, caFile, exchange, queue, timeoutSeconds } = config;
  const key = `events.amqp.${name}`;
  const sink = new AmqpSink({
    ...{ url, username, exchange, queue, timeoutMs: 1000 * timeoutSeconds },
    password: passwordOf(`${key}.password`, config, environment),
    ca: caFile === undefined ? undefined : Buffer.from(ofFile(`${key}.caFile`, caFile)),
  });
  return { name, kind: 'amqp', target: `${url} exchange ${exchange}`, wanted: config, sink };
}

function kafkaOf(config: KafkaConfig, { environment }: Outside): NamedSink {
  const { name, brokers, topic, tls, caFile, sasl, timeoutSeconds } = config;
  const key = `events.kafka.${name}`;
  const ca = caFile === undefined ? undefined : Buffer.from(ofFile(`${key}.caFile`, caFile));
  const sink = new KafkaSink({
    ...{ brokers, topic, timeoutMs: 1000 * timeoutSeconds },
    tls: tls || ca !== undefined ? { ca } : undefined,
    sasl: sasl && {
      ...{ mechanism: sasl.mechanism, username: sasl.username },
      password: passwordOf(`${key}.sasl.password`, sasl, environment) ?? '',
    },
  });
  const target = `${brokers.join(',')} topic ${topic}`;
  return { name, kind: 'kafka', target, wanted: config, sink };
}

/** What is behind the host may be a secret, as in the addresses that chat services hand out. */
const originOf = (url: string): string => `${new URL(url).origin}/…`;

function passwordOf(
  key: string,
  { passwordFile, passwordEnv }: PasswordSource,
  environment: Outside['environment'],
): string | undefined {
  if (passwordFile !== undefined) return ofFile(key, passwordFile);
  return passwordEnv === undefined ? undefined : ofVariable(key, passwordEnv, environment);
}

function ofFile(key: string, path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new ConfigError(key, `cannot read ${path} (${errorMessage(error)})`);
  }
}

function ofVariable(key: string, name: string, environment: Outside['environment']): string {
  const value = environment[name];
  if (value !== undefined && value !== '') return value.trim();
  throw new ConfigError(key, `the environment has no ${name}`, 'Set it before `starling up`');
}
