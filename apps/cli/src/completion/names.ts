import type { ControlClient } from '@starling/control';
import { clientOf } from '../client.ts';
import { oneLine } from '../table.ts';
import type { Candidate, NameKind, Names } from './candidates.ts';

/** Nobody waits longer for a key. */
const PATIENCE_MS = 700;

/** Asks the running daemon; where there is none, or it is slow, there are no names. */
export const daemonNames: Names = async (kind, options) => {
  const text = (name: string) => {
    const value = options.get(name);
    return value === undefined ? {} : { [name === 'token-file' ? 'tokenFile' : name]: value };
  };
  const where = { ...text('state'), ...text('api'), ...text('token-file'), ...text('ca') };
  try {
    return await within(PATIENCE_MS, namesOf(kind, clientOf(where)));
  } catch {
    // A shell that completes has no place for an error.
    return [];
  }
};

/** A shell takes such a word as it is; all else would have to be put in quotes. */
const isPlain = (name: string): boolean => /^[\w.@%+-]+$/.test(name);

async function namesOf(kind: NameKind, client: ControlClient): Promise<readonly Candidate[]> {
  switch (kind) {
    case 'job': {
      const jobs = await client.jobs();
      return jobs.map(({ id, name, standing }) => {
        // A name that two jobs have names none.
        const isOwn = jobs.filter((each) => each.name === name).length === 1;
        const value = isOwn && isPlain(name) ? name : id.slice(0, 12);
        return { value, summary: oneLine(`${name}: ${standing}`) };
      });
    }
    case 'peer': {
      const { connected } = await client.peers();
      return connected.map(({ peer, agent }) => ({ value: peer, summary: oneLine(agent ?? '') }));
    }
    case 'data': {
      const sets = await client.listData();
      return sets.map(({ name, task }) => ({ value: name, summary: oneLine(`task ${task}`) }));
    }
    case 'card': {
      const { models } = await client.models.search({ here: true, limit: 64 });
      return models.map(({ card: { name, version, task } }) => ({
        ...{ value: `${name}@${version}`, summary: oneLine(`task ${task}`) },
      }));
    }
    case 'network':
      return [{ value: (await client.status()).network, summary: 'of the running daemon' }];
  }
}

function within<T>(limitMs: number, answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('too slow')), limitMs);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
