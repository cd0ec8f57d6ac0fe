import { expect, test } from 'vitest';
import { until } from '../helpers/until.ts';
import { LoggedDaemon } from './daemon.ts';

test('a daemon is alive while it runs, and ready while it has a peer', async () => {
  const first = await LoggedDaemon.start({});
  expect(JSON.parse(await first.get('/health'))).toEqual({ status: 'alive' });
  expect(JSON.parse(await first.get('/ready'))).toEqual({ status: 'ready' });
  const { addresses } = await first.client.status();
  const second = await LoggedDaemon.start({ bootstrap: [...addresses] });
  const isReady = () =>
    second.get('/ready').then(
      () => true,
      () => false,
    );
  await until(isReady, 30_000, 'readiness');
  await first.stop();
  await until(async () => !(await isReady()), 30_000, 'the loss of it');
  await expect(second.get('/ready')).rejects.toThrow('/ready answers 503');
  expect(JSON.parse(await second.get('/health'))).toEqual({ status: 'alive' });
});
