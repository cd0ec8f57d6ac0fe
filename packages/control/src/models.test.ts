import { expect, onTestFinished, test } from 'vitest';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import {
  controlSocket,
  createControlClient,
  createControlServer,
  type ModelVouch,
  type Publish,
} from './index.ts';
import { harmless } from './testing/handlers.ts';
import { CARD, modelHandlers } from './testing/model-handlers.ts';

async function running() {
  const seen: unknown[] = [];
  const socket = controlSocket(await temporaryDirectory());
  const server = await createControlServer(socket, harmless({ models: modelHandlers(seen) }));
  onTestFinished(() => server.close());
  return { seen, client: createControlClient(socket).models };
}

test('every route of models answers what its handler answered', async () => {
  const { client } = await running();
  expect(await client.publish({ card: {}, job: 'digits' })).toEqual(CARD);
  expect(await client.search({})).toMatchObject({ models: [{ card: CARD, score: 8 }] });
  expect(await client.show('digits@1')).toEqual(CARD);
  expect(await client.fetch('digits')).toMatchObject({ card: CARD, model: 'AQID', proof: null });
  expect(await client.vouch('digits', { what: 'held' })).toEqual(CARD);
  expect(await client.deprecate('digits', {})).toEqual(CARD);
});

test('what is left out has its default', async () => {
  const { client, seen } = await running();
  const card = { summary: '', tags: [], data: '', licence: '', metrics: [], parents: [] };
  await client.publish({ card: {}, model: 'AAAA', proof: 'AAAA' });
  await client.search({ text: 'a b', input: [1, 28, 28] });
  await client.show('a/b@1');
  await client.vouch('digits', { what: 'verified' });
  await client.deprecate('digits', { reason: 'one\ntwo' });
  expect(seen).toEqual([
    { card, model: 'AAAA', proof: 'AAAA', restricted: false },
    {
      ...{ text: 'a b', tags: [], task: null, input: [1, 28, 28], limit: 20, here: false },
      timeoutSeconds: 5,
    },
    'a/b@1',
    ['digits', { what: 'verified', metric: null, note: '' }],
    ['digits', { reason: 'one\ntwo', successor: null }],
  ]);
});

test('what makes no sense is refused by its key', async () => {
  const { client, seen } = await running();
  const publish = (card: Publish['card'], more: Partial<Publish> = { job: 'j' }) =>
    expect(client.publish({ card, ...more })).rejects;
  await publish({ name: 'No Good' }).toThrow('card.name: use 1 to 64 small letters');
  await publish({ summary: 'a\nb' }).toThrow('card.summary: one line');
  await publish({ summary: 'x'.repeat(513) }).toThrow('card.summary: at most 512 characters');
  await publish({ data: '\u001b[2J' }).toThrow('card.data: no control characters');
  await publish({ licence: 'half \ud83d' }).toThrow('card.licence: one line');
  await publish({ tags: ['Big'] }).toThrow('card.tags.0: a tag is');
  await publish({ tags: Array(17).fill('a') }).toThrow('card.tags: at most 16 tags');
  await publish({}, {}).toThrow('either a job or a model');
  await publish({}, { job: 'a', model: 'b' }).toThrow('either a job or a model');
  await publish({}, { job: 'a', proof: 'b' }).toThrow('a job has its own proof');
  await expect(client.search({ limit: 65 })).rejects.toThrow('limit');
  await expect(client.search({ input: [-1] })).rejects.toThrow('input.0');
  const metric = { name: 'accuracy', value: 1 };
  const wrong: ModelVouch[] = [{ what: 'evaluated' }, { what: 'held', metric }];
  for (const wanted of wrong) {
    await expect(client.vouch('a', wanted)).rejects.toThrow('a metric belongs to an evaluation');
  }
  expect(seen).toEqual([]);
});
