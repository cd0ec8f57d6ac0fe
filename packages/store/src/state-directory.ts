import { chmod, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, errorMessage, type Random, utf8 } from '@starling/core';
import { errorCode, unlessMissing, writeDurably } from './files.ts';
import { takeLock } from './lock.ts';

/** The layout below; a release that changes it upgrades old directories and counts up. */
const VERSION = '1';
const SEED_BYTES = 32;

/** One small file that only its owner may read; whole or not there, after a crash too. */
export interface SecretFile {
  read(): Promise<Uint8Array | undefined>;
  write(bytes: Uint8Array): Promise<void>;
  remove(): Promise<void>;
}

/** A locked directory that holds all that a node must not forget. */
export interface StateDirectory {
  readonly path: string;
  /** 32 bytes, the seed of this node's Ed25519 identity; made on first use and kept. */
  readonly identitySeed: Uint8Array;
  readonly blobs: string;
  readonly journal: string;
  /** For libp2p's peer store. */
  readonly peers: string;
  /** What this node keeps of its private swarm: the pre-shared key, its own credential. */
  readonly swarm: SecretFile;
  /** Gives the lock back; close what was opened inside first. */
  close(): Promise<void>;
}

/**
 * Creates or opens the state directory and locks it.
 * @throws ConfigError naming the cause and the next step: not writable, in use, of a newer version
 */
export async function openStateDirectory(path: string, random: Random): Promise<StateDirectory> {
  await makeWritable(path);
  const release = await takeLock(path);
  try {
    await checkVersion(path);
    return {
      path,
      identitySeed: await identitySeed(path, random),
      blobs: join(path, 'blobs'),
      journal: join(path, 'journal'),
      peers: join(path, 'peers'),
      swarm: secretFile(join(path, 'swarm')),
      close: release,
    };
  } catch (error) {
    await release();
    throw error;
  }
}

const secretFile = (path: string): SecretFile => ({
  read: async () => {
    const found = await unlessMissing(readFile(path));
    return found && new Uint8Array(found);
  },
  write: (bytes) => writeDurably(path, `${path}.tmp`, bytes),
  remove: () => rm(path, { force: true }),
});

/** Numbers probes, so that two calls in one process do not share a file. */
let probes = 0;

async function makeWritable(path: string): Promise<void> {
  const probe = join(path, `probe.${process.pid}.${++probes}`);
  try {
    const created = await mkdir(path, { recursive: true, mode: 0o700 });
    // An umask may only have narrowed the mode; an older directory keeps what its owner chose.
    if (created !== undefined) await chmod(path, 0o700);
    await writeDurably(probe, `${probe}.tmp`, utf8('probe'));
    await rm(probe, { force: true });
  } catch (error) {
    throw new ConfigError(
      'stateDirectory',
      `cannot write to ${path} (${errorMessage(error)})`,
      adviceOn(error),
    );
  }
}

function adviceOn(error: unknown): string {
  switch (errorCode(error)) {
    case 'ENOSPC':
      return 'Free some disk space, or choose another state directory';
    case 'EROFS':
      return 'The file system is mounted read-only; choose another state directory';
    case 'ENOTDIR':
    case 'EEXIST':
      return 'A file is in the way; remove it or choose another state directory';
    default:
      return 'Give this user the right to write there, or choose another state directory';
  }
}

async function checkVersion(path: string): Promise<void> {
  const file = join(path, 'version');
  const found = (await unlessMissing(readFile(file, 'utf8')))?.trim();
  if (found === undefined) await writeDurably(file, `${file}.tmp`, utf8(`${VERSION}\n`));
  else if (found !== VERSION) {
    throw new ConfigError(
      'stateDirectory',
      `${path} has layout version "${found.slice(0, 20)}", this release reads ${VERSION}`,
      'Run the release that wrote it, or choose another state directory',
    );
  }
}

async function identitySeed(path: string, random: Random): Promise<Uint8Array> {
  const file = join(path, 'identity');
  const found = await unlessMissing(readFile(file));
  if (found === undefined) {
    const seed = random.bytes(SEED_BYTES);
    await writeDurably(file, `${file}.tmp`, seed);
    return seed;
  }
  if (found.length !== SEED_BYTES) {
    // Never made anew: a new identity would lose memberships and leave its budgets behind.
    throw new ConfigError(
      'stateDirectory',
      `${file} has ${found.length} bytes, not ${SEED_BYTES}`,
      'Restore it from a copy, or choose another state directory to start as a new peer',
    );
  }
  return new Uint8Array(found);
}
