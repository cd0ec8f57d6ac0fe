import { expect, onTestFinished, test } from 'vitest';
import { until } from '../../../../test/helpers/until.ts';
import { entryOf } from '../testing/entries.ts';
import { silentBroker } from '../testing/silent-broker.ts';
import { AmqpSink } from './amqp.ts';

const OPTIONS = {
  ...{ username: undefined, password: undefined, ca: undefined, exchange: 'starling' },
  ...{ queue: undefined, timeoutMs: 300 },
};

test('a broker that falls silent is left in time, and asked anew at the next try', async () => {
  const { url, sockets, close } = await silentBroker();
  onTestFinished(close);
  const sink = new AmqpSink({ ...OPTIONS, url });
  const { signal } = new AbortController();
  for (let i = 0; i < 2; i++) {
    await expect(sink.deliver([entryOf(1)], signal)).rejects.toThrow('no answer within 0.3 s');
    await until(() => sockets.size === 0);
  }
}, 10_000);
