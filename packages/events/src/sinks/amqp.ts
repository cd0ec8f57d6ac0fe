import type { Socket } from 'node:net';
import type { ChannelModel, ConfirmChannel, Options } from 'amqplib';
import type { CloudEvent } from '../event-schema.ts';
import type { Entry } from '../outbox.ts';
import type { Sink } from '../sink.ts';
import { endedWithin, within } from './within.ts';

export interface AmqpOptions {
  /** `amqp://` or `amqps://` with host, port and virtual host, and no password. */
  readonly url: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** Certificates of the authority that the broker's is checked against, PEM. */
  readonly ca: Buffer | undefined;
  /** A durable topic exchange; declared when it is not there. */
  readonly exchange: string;
  /** A durable queue for all events, declared and bound; then none may go without a queue. */
  readonly queue: string | undefined;
  readonly timeoutMs: number;
}

const GOODBYE_MS = 1_000;

/** `round.certified.3f9a1c2d`: what happened, then the job's first eight digits. */
export const routingKeyOf = ({ type, partitionkey }: CloudEvent): string =>
  `${type.slice('starling.'.length)}.${partitionkey?.slice(0, 8) ?? 'none'}`;

/**
 * RabbitMQ and other brokers of AMQP 0-9-1. Messages are persistent and published with confirms: a
 * batch counts when the broker has it on disk, or in the memory of its mirrors.
 */
export class AmqpSink implements Sink {
  readonly batch = 64;
  readonly #options: AmqpOptions;
  #connection: ChannelModel | undefined;
  #channel: ConfirmChannel | undefined;
  /** So that a connection that comes after one is not kept. */
  #closings = 0;

  constructor(options: AmqpOptions) {
    this.#options = options;
  }

  async deliver(entries: readonly Entry[], signal: AbortSignal): Promise<void> {
    try {
      await within(this.#options.timeoutMs, signal, this.#publish(entries));
    } catch (error) {
      // Whatever was on the way is unknown: a new connection begins with the unconfirmed ones.
      await this.close();
      throw error;
    }
  }

  async #publish(entries: readonly Entry[]): Promise<void> {
    const channel = this.#channel ?? (await this.#open());
    const { exchange, queue } = this.#options;
    const returned: string[] = [];
    const onReturn = ({ fields }: { fields: { routingKey: string } }) => {
      returned.push(fields.routingKey);
    };
    channel.on('return', onReturn);
    try {
      for (const { event } of entries) {
        const options = { ...propertiesOf(event), mandatory: queue !== undefined };
        channel.publish(exchange, routingKeyOf(event), Buffer.from(JSON.stringify(event)), options);
      }
      await channel.waitForConfirms();
    } finally {
      channel.off('return', onReturn);
    }
    // A message that no queue took is returned before it is confirmed.
    if (returned.length > 0) throw new Error(`no queue takes ${returned[0]}`);
  }

  async #open(): Promise<ConfirmChannel> {
    const { url, username, password, ca, exchange, queue, timeoutMs } = this.#options;
    const { connect, credentials } = await import('amqplib');
    const socket = {
      timeout: timeoutMs,
      clientProperties: { connection_name: 'starling' },
      ...(username !== undefined && { credentials: credentials.plain(username, password ?? '') }),
      ...(ca && { ca: [ca] }),
    };
    const closings = this.#closings;
    const connection = await connect(url, socket);
    // Without listeners an error would end the process; the next delivery opens anew.
    const drop = () => {
      if (this.#connection !== connection) return;
      this.#connection = undefined;
      this.#channel = undefined;
    };
    connection.on('error', drop);
    connection.on('close', drop);
    if (this.#closings !== closings) {
      await end(connection);
      throw new Error('the connection came too late');
    }
    this.#connection = connection;
    const channel = await connection.createConfirmChannel();
    channel.on('error', drop);
    await channel.assertExchange(exchange, 'topic', { durable: true });
    if (queue !== undefined) {
      await channel.assertQueue(queue, { durable: true });
      await channel.bindQueue(queue, exchange, '#');
    }
    this.#channel = channel;
    return channel;
  }

  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#channel = undefined;
    this.#closings += 1;
    if (connection !== undefined) await end(connection);
  }
}

/** A broker that is silent does not answer to a goodbye either, nor does a broken connection. */
async function end(connection: ChannelModel): Promise<void> {
  await endedWithin(GOODBYE_MS, connection.close());
  // The types leave it out.
  const { stream } = connection.connection as unknown as { readonly stream: Socket };
  stream.destroy();
}

const propertiesOf = (event: CloudEvent): Options.Publish => ({
  ...{ persistent: true, contentType: 'application/cloudevents+json', appId: 'starling' },
  ...{ messageId: event.id, type: event.type },
  timestamp: Math.floor(Date.parse(event.time) / 1000),
});
