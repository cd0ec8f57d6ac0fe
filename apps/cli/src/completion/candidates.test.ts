import { describe, expect, test } from 'vitest';
import { createProgram } from '../program.ts';
import { answer } from './answer.ts';
import { joinBashWords } from './bash-words.ts';
import { complete, type Names } from './candidates.ts';

const names: Names = async (kind, options) => [
  { value: `${kind}-a`, summary: options.get('state') ?? '' },
  { value: `${kind}-b`, summary: '' },
];

async function at(...words: readonly string[]) {
  const { candidates, files } = await complete(createProgram(), words, names);
  return { values: candidates.map(({ value }) => value), files };
}

describe('what can stand at the cursor', () => {
  test.each([
    ['commands', ['wa'], ['watch']],
    ['commands of a group', ['data', ''], ['add', 'list', 'remove', 'inspect']],
    ['commands below one that does something itself', ['jobs', 'a'], ['approve']],
    ['what help explains', ['help', 'data', 'a'], ['add']],
    ['options', ['up', '--det'], ['--detach']],
    ['no option twice', ['up', '--detach', '--det'], []],
    ['an option that may be there twice', ['up', '--trust', 'x', '--tru'], ['--trust']],
    ['words of an option', ['swarm', 'invite', '--role', 'l'], ['light', 'launcher']],
    ['words in one with it', ['swarm', 'invite', '--role=ad'], ['--role=admin']],
    ['words of an argument', ['completion', 'b'], ['bash']],
    ['shown words of a benchmark', ['bench', 'mas'], ['masking']],
    ['jobs', ['watch', ''], ['job-a', 'job-b']],
    ['a job of an option', ['events', '--job', 'job-b'], ['job-b']],
    ['data sets', ['data', 'remove', ''], ['data-a', 'data-b']],
    ['data sets of an option', ['jobs', 'approve', 'j', '--data', ''], ['data-a', 'data-b']],
    ['peers', ['swarm', 'vouch', 'peer-a'], ['peer-a']],
    ['several peers', ['up', '--trust', 'x', 'peer-b'], ['peer-b']],
    ['cards', ['model', 'show', ''], ['card-a', 'card-b']],
    ['a card of an option', ['model', 'deprecate', 'c', '--successor', ''], ['card-a', 'card-b']],
    ['a job to publish', ['model', 'publish', ''], ['job-a', 'job-b']],
    ['networks', ['up', '--network', ''], ['network-a', 'network-b']],
    ['nothing after the last argument', ['watch', 'j', ''], []],
    ['nothing of a free text', ['swarm', 'revoke', '--reason', ''], []],
    ['nothing hidden', ['__'], []],
  ])('%s', async (_, words, expected) => {
    expect((await at(...words)).values).toEqual(expected);
  });

  test.each([
    ['a file', ['launch', ''], 'files'],
    ['a file of an option', ['model', 'pull', 'j', '-o', ''], 'files'],
    ['a folder', ['status', '--state', ''], 'directories'],
    ['a path or a data set', ['model', 'eval', 'm', '--data', ''], 'files'],
    ['a model to publish', ['model', 'publish', ''], 'files'],
    ['no file', ['watch', ''], 'none'],
  ])('the shell completes %s', async (_, words, expected) => {
    expect((await at(...words)).files).toBe(expected);
  });

  test('the daemon that the line names is asked', async () => {
    const { candidates } = await complete(
      ...([createProgram(), ['watch', '--state', '/srv/x', ''], names] as const),
    );
    expect(candidates[0]?.summary).toBe('/srv/x');
  });

  test('a line that is no command has no end', async () => {
    expect(await answer(createProgram(), 'zsh', ['help', 'bogus', ''], names)).toBe(':none\n');
  });
});

describe('words of bash', () => {
  test.each([
    [['swarm', 'invite', '--role', '=', 'ad'], ['swarm', 'invite', '--role=ad'], '--role='.length],
    [['up', '--device', '='], ['up', '--device='], '--device='.length],
    [['eval', 'zoo', ':', 'c'], ['eval', 'zoo:c'], 'zoo:'.length],
    [['watch', 'j'], ['watch', 'j'], 0],
    [['a', '=', 'b', 'c'], ['a=b', 'c'], 0],
  ])('%j is %j', (pieces, words, kept) => {
    expect(joinBashWords(pieces)).toEqual({ words, kept });
  });

  test('what bash keeps as it is does not come twice', async () => {
    const typed = ['swarm', 'invite', '--role', '=', 'ad'];
    expect(await answer(createProgram(), 'bash', typed, names)).toBe('admin\t\n:none\n');
  });
});
