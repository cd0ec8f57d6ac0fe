import { randomBytes } from 'node:crypto';
import { chmod, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { type ApiOptions, parseListen, type TcpOptions, type TlsFiles } from '@starling/control';
import { ConfigError, errorMessage } from '@starling/core';
import type { Config } from './config.ts';

const TOKEN_BYTES = 32;
/** base64url of that. */
const TOKEN = /^[A-Za-z0-9_-]{43}$/;

/**
 * How the daemon serves its API beside the Unix socket.
 * @throws ConfigError when a file of `api.tls` cannot be read or does not fit the other
 */
export async function apiOptions(config: Config, stateDirectory: string): Promise<ApiOptions> {
  return {
    token: () => apiToken(stateDirectory),
    tcp: await tcpOptions(config.api, 'api.tls'),
    // Beside the daemon's bundle.
    pages: fileURLToPath(new URL('./dashboard', import.meta.url)),
  };
}

/**
 * The secret that opens the API over TCP, made at its first use.
 * @throws ConfigError when the file holds something else
 */
export async function apiToken(stateDirectory: string): Promise<string> {
  const path = join(stateDirectory, 'api-token');
  const text = (await readToken(path)) ?? (await makeToken(path));
  if (TOKEN.test(text)) return text;
  const hint = 'Delete the file: the daemon makes another, and clients need that one then';
  throw new ConfigError('api', `${path} holds no token`, hint);
}

async function readToken(path: string): Promise<string | undefined> {
  try {
    const text = await readFile(path, 'utf8');
    // A copy or a backup may have opened it to others.
    await chmod(path, 0o600);
    return text.trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new ConfigError('api', `cannot read ${path} (${errorMessage(error)})`);
  }
}

async function makeToken(path: string): Promise<string> {
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(`${token}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  return token;
}

/** @param tlsKey where the configuration names the files of the certificate */
export async function tcpOptions(
  { listen, tls, hosts }: Pick<Config['api'], 'listen' | 'tls' | 'hosts'>,
  tlsKey: string,
): Promise<TcpOptions | undefined> {
  if (listen === undefined) return undefined;
  return { ...parseListen(listen)!, hosts, tls: tls && (await tlsFiles(tls, tlsKey)) };
}

async function tlsFiles(paths: TlsFiles, tlsKey: string): Promise<TlsFiles> {
  const [cert, key] = await Promise.all([
    readPem(`${tlsKey}.cert`, paths.cert),
    readPem(`${tlsKey}.key`, paths.key),
  ]);
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    const hint = 'Give the certificate chain and its private key, both in PEM, the key not locked';
    throw new ConfigError(tlsKey, `no TLS with these files (${errorMessage(error)})`, hint);
  }
  return { cert, key };
}

async function readPem(key: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new ConfigError(key, `cannot read ${path} (${errorMessage(error)})`);
  }
}
