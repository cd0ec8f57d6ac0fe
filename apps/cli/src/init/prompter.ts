import { confirm, input, select } from '@inquirer/prompts';
import type { Prompter } from './ask.ts';

/** Questions stand on standard error: standard output has the result only. */
const CONTEXT = { output: process.stderr };

export const terminalPrompter: Prompter = {
  input: (question) => input(question, CONTEXT),
  select: ({ message, choices }) => select({ message, choices: [...choices] }, CONTEXT),
  confirm: (question) => confirm(question, CONTEXT),
};

/** Ctrl-C in the middle of a question. */
export const isInterrupted = (error: unknown): boolean =>
  error instanceof Error && error.name === 'ExitPromptError';
