import type { Command } from 'commander';
import { joinBashWords } from './bash-words.ts';
import { complete, type Names } from './candidates.ts';
import { daemonNames } from './names.ts';

/**
 * The lines that a shell's script reads.
 * @param typed what follows `starling` up to the cursor, as the shell has cut it into words
 */
export async function answer(
  program: Command,
  shell: string,
  typed: readonly string[],
  names: Names = daemonNames,
): Promise<string> {
  const { words, kept } = shell === 'bash' ? joinBashWords(typed) : { words: typed, kept: 0 };
  try {
    const { candidates, files } = await complete(program, words, names);
    const lines = candidates.map(({ value, summary }) => `${value.slice(kept)}\t${summary}\n`);
    return `${lines.join('')}:${files}\n`;
  } catch {
    // What is typed so far is no command.
    return ':none\n';
  }
}
