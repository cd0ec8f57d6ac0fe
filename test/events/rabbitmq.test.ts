import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSinks, EventBridge, eventsConfigSchema, Outbox } from '@starling/events';
import { LevelJournal } from '@starling/store';
import { connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CloudEvent } from '../../packages/events/src/event-schema.ts';
import { JOB, seenJob, seenRound } from '../../packages/events/src/testing/jobs.ts';
import { realParts } from '../helpers/parts.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { until } from '../helpers/until.ts';
import { Broker, missingRabbit } from './rabbitmq.ts';

const isFull = process.env['STARLING_TEST_SIZE'] === 'full';
const missing = isFull ? missingRabbit() : 'full size only';
if (missing !== undefined) console.warn(`RabbitMQ: skipped, ${missing}`);
const QUEUE = 'starling-test';

/** Reads a durable queue, over every break of the connection, until it has so many events. */
async function consume(url: string, got: CloudEvent[], enough: () => boolean): Promise<void> {
  await until(async () => {
    const connection = await connect(url).catch(() => undefined);
    if (connection === undefined) return false;
    connection.on('error', () => {});
    try {
      const channel = await connection.createChannel();
      channel.on('error', () => {});
      await channel.assertQueue(QUEUE, { durable: true });
      for (;;) {
        const message = await channel.get(QUEUE);
        if (message === false) break;
        got.push(JSON.parse(message.content.toString()) as CloudEvent);
        channel.ack(message);
      }
    } catch {
      // The broker went away in the middle: what was not confirmed comes again.
    } finally {
      await connection.close().catch(() => {});
    }
    return enough();
  }, 180_000);
}

describe.skipIf(missing !== undefined)('events to a real RabbitMQ', () => {
  let broker: Broker;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'starling-rabbit-'));
    broker = await Broker.start(join(folder, 'broker'));
  });
  afterAll(async () => {
    await broker?.end();
    await rm(folder, { recursive: true, force: true });
  });

  test('none is lost when the broker is killed in the middle, and order is kept', async () => {
    const state = await temporaryDirectory();
    const chain: ReturnType<typeof seenRound>[] = [];
    const config = eventsConfigSchema.parse({
      amqp: [{ name: 'lab', url: broker.url, queue: QUEUE, timeoutSeconds: 5 }],
    });
    const start = async () => {
      const journal = await LevelJournal.open(join(state, 'events'));
      const bridge = new EventBridge({
        ...realParts,
        ...{ self: 'peer-a', outbox: await Outbox.open(journal) },
        sinks: createSinks(config, { now: Date.now, environment: {} }),
        now: Date.now,
        jobs: () => [seenJob([...chain])],
      });
      await bridge.start();
      return { bridge, journal };
    };
    const ROUNDS = 60;
    let { bridge, journal } = await start();
    /** A round with what is told of it. */
    const round = async (number: number) => {
      const named = { job: JOB, name: 'digits' };
      const slot = { attempt: 0, restarts: 0 };
      bridge.take(named, { kind: 'training', round: number });
      bridge.take(named, { kind: 'phase', round: number, slot, phase: 'shares' });
      chain.push(seenRound(number));
      bridge.take(named, { kind: 'training', round: number + 1 });
    };
    for (let number = 1; number <= ROUNDS; number++) {
      await round(number);
      if (number === 15) {
        // Some are on the other side, some on the way, and some come while nobody listens.
        await until(() => bridge.status()[0]!.delivered > 10, 60_000, 'first deliveries');
        await broker.stop('SIGKILL');
      }
      if (number === 25) await broker.start();
      if (number === 35) {
        // As a daemon that ends; one that dies at any write is in the bridge's own test.
        await bridge.stop();
        await journal.close();
        ({ bridge, journal } = await start());
      }
      if (number === 45) await broker.stop('SIGTERM');
      if (number === 55) await broker.start();
    }
    await until(() => bridge.status()[0]?.behind === 0, 180_000, 'delivery of all events');
    expect(bridge.status()[0]).toMatchObject({ missed: 0, setAside: 0, lastError: null });
    await bridge.stop();
    await journal.close();
    const got: CloudEvent[] = [];
    await consume(broker.url, got, () => true);
    const once = [...new Map(got.map((event) => [event.id, event])).values()];
    const sequences = once.map(({ sequence }) => Number(sequence));
    // Every number from the first to the last: nothing is lost, and the order is that of the peer.
    expect(sequences).toEqual(sequences.map((_, i) => sequences[0]! + i));
    expect(once.filter(({ type }) => type === 'starling.round.certified')).toHaveLength(ROUNDS);
    expect(sequences.length).toBe(1 + 4 * ROUNDS);
    console.info(
      `RabbitMQ: ${once.length} events, ${got.length - once.length} came twice, broker killed ` +
        'once and stopped once, bridge restarted once: none lost',
    );
  });

  test('an event that no queue takes is kept back, and goes once a queue is there', async () => {
    const connection = await connect(broker.url);
    const channel = await connection.createChannel();
    await channel.assertExchange('lonely', 'topic', { durable: true });
    await channel.assertQueue('lonely-queue', { durable: true });
    await connection.close();
    const config = eventsConfigSchema.parse({
      amqp: [{ name: 'a', url: broker.url, exchange: 'lonely', queue: 'lonely-queue' }],
    });
    const [sink] = createSinks(config, { now: Date.now, environment: {} });
    const { entryOf } = await import('../../packages/events/src/testing/entries.ts');
    const { signal } = new AbortController();
    await sink!.sink.deliver([entryOf(1)], signal);
    // Somebody takes the binding away below it.
    const other = await connect(broker.url);
    const admin = await other.createChannel();
    await admin.unbindQueue('lonely-queue', 'lonely', '#');
    await expect(sink!.sink.deliver([entryOf(2)], signal)).rejects.toThrow(
      'no queue takes round.training.abababab',
    );
    // The next delivery opens anew, and declares what it needs.
    await sink!.sink.deliver([entryOf(2)], signal);
    const left = await admin.checkQueue('lonely-queue');
    expect(left.messageCount).toBe(2);
    await other.close();
    await sink!.sink.close();
  });
});
