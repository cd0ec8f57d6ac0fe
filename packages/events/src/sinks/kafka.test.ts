import type { ProducerRecord } from 'kafkajs';
import { describe, expect, test } from 'vitest';
import { freePort } from '../../../../test/helpers/free-port.ts';
import { entryOf } from '../testing/entries.ts';
import { JOB } from '../testing/jobs.ts';
import { type KafkaOptions, type KafkaProducer, KafkaSink } from './kafka.ts';

const OPTIONS: KafkaOptions = {
  ...{ brokers: ['127.0.0.1:1'], topic: 'lab', tls: undefined, sasl: undefined, timeoutMs: 2_000 },
};
const { signal } = new AbortController();

/** A producer that keeps what it is sent; no broker can be had for these tests. */
function recorder(fail: () => boolean = () => false) {
  const sent: ProducerRecord[] = [];
  const life: string[] = [];
  const create = async (): Promise<KafkaProducer> => ({
    connect: async () => void life.push('connect'),
    disconnect: async () => void life.push('disconnect'),
    send: async (record) => {
      if (fail()) throw new Error('leader not available');
      sent.push(record);
      return [];
    },
  });
  return { sent, life, create };
}

describe('a Kafka topic', () => {
  test('gets the job as key, the event as value, and waits for all replicas', async () => {
    const { sent, create } = recorder();
    await new KafkaSink(OPTIONS, create).deliver([entryOf(1), entryOf(2)], signal);
    expect(sent).toMatchObject([{ topic: 'lab', acks: -1 }]);
    const [first, second] = sent[0]!.messages;
    expect(first).toMatchObject({
      key: JOB,
      headers: { ce_id: 'e1', 'content-type': 'application/cloudevents+json' },
    });
    expect(JSON.parse(String(second!.value))).toEqual(entryOf(2).event);
  });

  test('gets a new producer after a failure, and one for all deliveries until then', async () => {
    let failing = false;
    const { life, create } = recorder(() => failing);
    const sink = new KafkaSink(OPTIONS, create);
    await sink.deliver([entryOf(1)], signal);
    await sink.deliver([entryOf(2)], signal);
    failing = true;
    await expect(sink.deliver([entryOf(3)], signal)).rejects.toThrow('leader not available');
    failing = false;
    await sink.deliver([entryOf(3)], signal);
    expect(life).toEqual(['connect', 'disconnect', 'connect']);
  });

  test('of brokers that do not even part is left all the same', async () => {
    const { create } = recorder();
    const silent = async () => ({
      ...(await create()),
      disconnect: () => new Promise<void>(() => {}),
    });
    const sink = new KafkaSink(OPTIONS, silent);
    await sink.deliver([entryOf(1)], signal);
    await expect(sink.close()).resolves.toBeUndefined();
  });

  test('where nobody listens is an error of the real library, in time', async () => {
    const sink = new KafkaSink({ ...OPTIONS, brokers: [`127.0.0.1:${await freePort()}`] });
    await expect(sink.deliver([entryOf(1)], signal)).rejects.toThrow();
    await sink.close();
  });
});
