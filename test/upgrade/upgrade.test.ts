import { readdirSync } from 'node:fs';
import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from '../helpers/until.ts';
import { LoggedDaemon } from '../observability/daemon.ts';
import { contentOf, copyState, RECORDED } from './state.ts';

test.each(readdirSync(RECORDED))(
  'the state directory of %s opens, and nothing is lost',
  async (name) => {
    const folder = join(RECORDED, name);
    const daemon = await LoggedDaemon.start({}, async (state) => {
      await copyState(join(folder, 'state'), state);
      // Version control keeps no modes.
      for (const secret of ['identity', 'swarm']) await chmod(join(state, secret), 0o600);
    });
    const content = JSON.parse(await readFile(join(folder, 'content.json'), 'utf8')) as object;
    const isReady = async () =>
      (await daemon.client.jobs()).every(({ phase }) => phase === 'finished');
    await until(isReady, 30_000, 'the end of all jobs, as it was');
    expect(await contentOf(daemon.client)).toEqual(content);
    // The data set is remembered, and what is missing is said.
    expect(daemon.log).toMatch(/data set mine: /);
  },
);
