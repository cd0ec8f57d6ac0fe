import type { Command } from 'commander';
import { SCRIPTS, SHELLS, type Shell } from '../completion/scripts.ts';
import { addCommand, type JsonOption, oneOfWords } from '../options.ts';
import { printJson } from '../output.ts';

export function registerCompletion(program: Command): void {
  addCommand(program, {
    usage: 'completion',
    summary: 'print a script with which a shell completes commands, options and names',
    examples: [
      'completion bash >> ~/.bashrc',
      'completion zsh > ~/.zfunc/_starling',
      'completion fish > ~/.config/fish/completions/starling.fish',
    ],
  })
    .argument('<shell>', SHELLS.join(', '), oneOfWords(SHELLS))
    .action((shell: Shell, { json }: JsonOption) => {
      if (json) printJson({ shell, script: SCRIPTS[shell] });
      else process.stdout.write(SCRIPTS[shell]);
    });
  registerComplete(program);
}

/** What the scripts ask; never an error, since the line that is completed is not finished. */
function registerComplete(program: Command): void {
  program
    .command('__complete', { hidden: true })
    .argument('<shell>')
    .argument('[words...]')
    .action(async (shell: string, typed: readonly string[]) => {
      const { answer } = await import('../completion/answer.ts');
      process.stdout.write(await answer(program, shell, typed));
      // A daemon that does not answer must not keep the shell waiting.
      process.exit();
    });
}
