import type { Producer, SASLOptions } from 'kafkajs';
import type { Entry } from '../outbox.ts';
import type { Sink } from '../sink.ts';
import { endedWithin, within } from './within.ts';

export interface KafkaOptions {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly tls: { readonly ca: Buffer | undefined } | undefined;
  readonly sasl:
    | {
        readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
        readonly username: string;
        readonly password: string;
      }
    | undefined;
  readonly timeoutMs: number;
}

const GOODBYE_MS = 1_000;

/** What this package uses of a producer. */
export type KafkaProducer = Pick<Producer, 'connect' | 'disconnect' | 'send'>;

/** A topic of Kafka. The key is the job's id, so that a partition keeps a job's events in order. */
export class KafkaSink implements Sink {
  readonly batch = 128;
  readonly #options: KafkaOptions;
  readonly #create: () => Promise<KafkaProducer>;
  #producer: KafkaProducer | undefined;

  /** @param create makes a producer; `kafkaProducer` unless a test says otherwise */
  constructor(options: KafkaOptions, create = () => kafkaProducer(options)) {
    this.#options = options;
    this.#create = create;
  }

  async deliver(entries: readonly Entry[], signal: AbortSignal): Promise<void> {
    try {
      await within(this.#options.timeoutMs, signal, this.#send(entries));
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async #send(entries: readonly Entry[]): Promise<void> {
    const producer = this.#producer ?? (await this.#connect());
    await producer.send({
      topic: this.#options.topic,
      // All replicas that are in step.
      acks: -1,
      messages: entries.map(({ event }) => ({
        key: event.partitionkey ?? null,
        value: JSON.stringify(event),
        headers: { 'content-type': 'application/cloudevents+json', ce_id: event.id },
      })),
    });
  }

  async #connect(): Promise<KafkaProducer> {
    const producer = await this.#create();
    await producer.connect();
    this.#producer = producer;
    return producer;
  }

  async close(): Promise<void> {
    const producer = this.#producer;
    this.#producer = undefined;
    // It may be broken already, or the brokers silent: nothing is lost with it.
    if (producer !== undefined) await endedWithin(GOODBYE_MS, producer.disconnect());
  }
}

/** An idempotent producer: what it repeats by itself is written once. */
export async function kafkaProducer(options: KafkaOptions): Promise<KafkaProducer> {
  const { Kafka, logLevel } = (await import('kafkajs')).default;
  const { brokers, tls, sasl, timeoutMs } = options;
  const kafka = new Kafka({
    ...{ clientId: 'starling', brokers: [...brokers], logLevel: logLevel.NOTHING },
    ...{ connectionTimeout: timeoutMs, requestTimeout: timeoutMs },
    // The pump has its own, longer patience.
    retry: { retries: 2 },
    ...(tls && { ssl: tls.ca === undefined ? true : { ca: [tls.ca] } }),
    ...(sasl && { sasl: sasl as SASLOptions }),
  });
  return kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
}
