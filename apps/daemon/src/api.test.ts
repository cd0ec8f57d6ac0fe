import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import { apiOptions, apiToken } from './api.ts';
import { configSchema, parseConfig } from './config.ts';

describe('the token', () => {
  test("is made once, its owner's alone, and of 32 bytes", async () => {
    const directory = await temporaryDirectory();
    const token = await apiToken(directory);
    expect(Buffer.from(token, 'base64url')).toHaveLength(32);
    expect(await apiToken(directory)).toBe(token);
    const path = join(directory, 'api-token');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await chmod(path, 0o644);
    await apiToken(directory);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await apiToken(await temporaryDirectory())).not.toBe(token);
  });

  test('is not made where nothing listens', async () => {
    const directory = await temporaryDirectory();
    const { tcp, token } = await apiOptions(configSchema.parse({}), directory);
    expect(tcp).toBeUndefined();
    await expect(stat(join(directory, 'api-token'))).rejects.toThrow('ENOENT');
    expect(await token()).toBe((await readFile(join(directory, 'api-token'), 'utf8')).trim());
  });

  test('that is none is an error with the next step', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'api-token'), 'secret');
    await expect(apiToken(directory)).rejects.toThrow(/holds no token\. Delete the file/);
  });
});

describe('api of the configuration', () => {
  test('is an address, with its names', async () => {
    const config = parseConfig('api: {listen: "[::1]:0", hosts: [ward7.example]}', 'x.yaml');
    const { tcp } = await apiOptions(config, await temporaryDirectory());
    expect(tcp).toEqual({ host: '::1', port: 0, hosts: ['ward7.example'], tls: undefined });
  });

  test.each([
    ['api: {listen: 0.0.0.0:7380}', 'x.yaml, line 1, api.listen: demands TLS: name PEM files'],
    ['api:\n  listen: 7380', 'x.yaml, line 2, api.listen: '],
    ['api: {listen: "example.org:80"}', 'give an IP address and a port'],
    ['api: {hosts: [a.example]}', 'api.listen: is missing'],
    ['api: {listen: 127.0.0.1:0, hosts: ["a.example:80"]}', 'give a name, no port'],
    ['api: {listen: 127.0.0.1:0, tls: {cert: a}}', 'api.tls.key'],
  ])('%s is refused by key and line', (text, message) => {
    expect(() => parseConfig(text, 'x.yaml')).toThrow(message);
  });

  test('names files that can be read, and are PEM', async () => {
    const directory = await temporaryDirectory();
    const file = join(directory, 'cert.pem');
    const api = { listen: '0.0.0.0:0', tls: { cert: file, key: file } };
    const config = configSchema.parse({ api });
    await expect(apiOptions(config, directory)).rejects.toThrow(/api\.tls\.cert: cannot read/);
    await writeFile(file, 'no certificate');
    await expect(apiOptions(config, directory)).rejects.toThrow(/api\.tls: no TLS with these/);
  });
});
