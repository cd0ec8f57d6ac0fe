import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import { targetOf } from './client.ts';

const URL = 'https://ward7.example:7380';

async function place() {
  const state = await temporaryDirectory();
  const file = async (name: string, text: string) => {
    const path = join(state, name);
    await writeFile(path, text);
    return path;
  };
  return { state, file };
}

describe('the daemon that a command talks to', () => {
  test('is the one of the state directory, unless told', async () => {
    const { state } = await place();
    expect(targetOf({ state }, {})).toBe(join(state, 'control.sock'));
    expect(targetOf({ state }, { STARLING_API: URL })).toBe(join(state, 'control.sock'));
    expect(targetOf({}, { STARLING_API: '' })).toMatch(/control\.sock$/);
  });

  test('is named with its token and its authority by options', async () => {
    const { file } = await place();
    const options = {
      ...{ api: URL, tokenFile: await file('token', 'secret\n'), ca: await file('ca.pem', 'PEM') },
    };
    expect(targetOf(options, {})).toEqual({ url: URL, token: 'secret', ca: 'PEM' });
  });

  test('is named by the environment, and options go before it', async () => {
    const { file } = await place();
    const environment = {
      STARLING_API: URL,
      STARLING_TOKEN_FILE: await file('token', 'secret'),
      STARLING_CA: await file('ca.pem', 'PEM'),
    };
    expect(targetOf({}, environment)).toEqual({ url: URL, token: 'secret', ca: 'PEM' });
    const other = { api: 'http://127.0.0.1:1', tokenFile: await file('other', 'another') };
    expect(targetOf(other, environment)).toMatchObject({ url: other.api, token: 'another' });
  });

  test("has the state directory's token where none is named", async () => {
    const { state, file } = await place();
    await file('api-token', 'own');
    expect(targetOf({ state, api: URL }, {})).toMatchObject({ url: URL, token: 'own' });
  });

  test('is not found by half of it, and the missing half is named', async () => {
    const { state } = await place();
    expect(() => targetOf({ state, api: URL }, {})).toThrow(/token-file: cannot read.*api-token/);
    expect(() => targetOf({ state, tokenFile: 'x' }, {})).toThrow(/token-file: .*without --api/);
    expect(() => targetOf({ state, ca: 'x' }, {})).toThrow(/ca: .*without --api/);
  });
});
