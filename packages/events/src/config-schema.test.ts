import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import { eventsConfigSchema } from './config-schema.ts';
import { createSinks } from './create-sinks.ts';

const HOOK = { name: 'chat', url: 'https://example.org/hook', secretEnv: 'SECRET' };
const outside = (environment: Record<string, string>) => ({ now: Date.now, environment });

describe('the section events', () => {
  test('is empty unless told', () => {
    expect(eventsConfigSchema.parse({})).toEqual({ webhooks: [], amqp: [], kafka: [] });
  });

  test.each([
    [{ webhooks: [{ ...HOOK, secretFile: 'x' }] }, 'give either secretFile or secretEnv'],
    [{ webhooks: [{ name: 'a', url: HOOK.url }] }, 'give either secretFile or secretEnv'],
    [{ webhooks: [HOOK, HOOK] }, 'two sinks are called "chat"'],
    [{ webhooks: [{ ...HOOK, types: ['round.certified'] }] }, 'no type of event is like that'],
    [{ webhooks: [{ ...HOOK, url: 'ftp://x' }] }, 'Invalid URL'],
    [{ webhooks: [{ ...HOOK, secret: 'inline' }] }, 'Unrecognized key'],
    [{ webhooks: [{ ...HOOK, url: 'https://me:secret@host/' }] }, 'takes no name and password'],
    [{ webhooks: [{ ...HOOK, url: 'https://me@host/' }] }, 'takes no name and password'],
    [{ amqp: [{ name: 'a', url: 'amqp://me:secret@host' }] }, 'does not belong into'],
    [{ webhooks: [{ ...HOOK, url: 'no address' }] }, 'Invalid URL'],
    [{ amqp: [{ name: 'a', url: '' }] }, 'Invalid URL'],
    [{ kafka: [{ name: 'a', brokers: ['host'] }] }, 'give HOST:PORT'],
  ])('refuses %j', (config, message) => {
    const { error } = eventsConfigSchema.safeParse(config);
    expect(error?.issues[0]?.message).toContain(message);
  });
});

describe('secrets', () => {
  const SECRET = 'a secret of more than 24 bytes';

  test('come from files and from the environment', async () => {
    const file = join(await temporaryDirectory(), 'secret');
    await writeFile(file, `${SECRET}\n`);
    const config = eventsConfigSchema.parse({
      webhooks: [HOOK, { name: 'b', url: 'https://h/p?token=t', secretFile: file }],
      amqp: [{ name: 'c', url: 'amqp://host', username: 'u', passwordFile: file }],
    });
    const sinks = createSinks(config, outside({ SECRET }));
    expect(sinks.map(({ kind }) => kind)).toEqual(['webhook', 'webhook', 'amqp']);
    // What is shown of them holds none.
    const shown = sinks.map(({ target }) => target);
    expect(shown).toEqual([
      'https://example.org/…',
      'https://h/…',
      'amqp://host exchange starling',
    ]);
  });

  test('that are missing are named, with what to do', () => {
    const config = eventsConfigSchema.parse({ webhooks: [HOOK] });
    expect(() => createSinks(config, outside({}))).toThrow(
      /^events\.webhooks\.chat\.secret: the environment has no SECRET\. Set it before/,
    );
    const file = eventsConfigSchema.parse({
      amqp: [{ name: 'q', url: 'amqp://h', passwordFile: '/nowhere/x' }],
    });
    expect(() => createSinks(file, outside({}))).toThrow(/events\.amqp\.q\.password: cannot read/);
  });
});
