import { ConfigError } from '@starling/core';
import type { Command } from 'commander';
import { readInput } from '../files.ts';
import type { Answers } from '../init/answers.ts';
import type { InitOptions } from '../init/run.ts';
import { addLocalCommand, wholeNumber } from '../options.ts';
import { note } from '../output.ts';

interface InitFlags extends InitOptions {
  readonly answers?: string;
  readonly swarm?: string;
  readonly data?: string;
  readonly threads?: number;
  readonly memory?: string;
  readonly upload?: string;
  readonly hours?: readonly string[];
  readonly onBattery?: true;
  readonly trust?: readonly string[];
}

const INTERRUPTED = 130;

export function registerInit(program: Command): void {
  addLocalCommand(program, {
    usage: 'init',
    summary: 'ask five questions, and write the configuration that `starling up` reads',
    examples: [
      'init',
      'init --yes',
      'init --yes --swarm ward-7 --memory "4 GiB" --hours 22:00-07:00',
      'init --answers answers.yaml --force',
    ],
  })
    .option('--yes', 'ask nothing: the defaults, and what the options below say')
    .option('--answers <file>', 'ask nothing: answers in YAML, before the defaults')
    .option('--force', 'replace a configuration without asking; the old one is kept beside it')
    .option('--swarm <name>', 'the name of a swarm, or an invite to one')
    .option('--data <path>', "data to offer, looked at at once; in quotes with add's options")
    .option('--threads <n>', 'threads of one training (half of the CPUs)', wholeNumber(1, 256))
    .option('--memory <amount>', 'of daemon and trainer, as "4 GiB" (half of what is free)')
    .option('--upload <rate>', 'at most, as "2 MiB/s" (no cap)')
    .option('--hours <span...>', 'local times of new rounds, as 22:00-07:00 (always)')
    .option('--on-battery', 'train on the battery, too')
    .option('--trust <peer...>', 'launchers whose jobs start without asking (nobody)')
    .addHelpText('after', ANSWERS)
    .action(async (flags: InitFlags) => {
      const { runInit } = await import('../init/run.ts');
      const isAsking = flags.yes === undefined && flags.answers === undefined;
      if (isAsking) refuseWithoutTerminal();
      const given = { ...(await answersOf(flags.answers)), ...answersIn(flags) };
      const { isInterrupted, terminalPrompter } = await import('../init/prompter.ts');
      try {
        await runInit(given, flags, { prompter: isAsking ? terminalPrompter : undefined });
      } catch (error) {
        if (!isInterrupted(error)) throw error;
        note('nothing was written');
        process.exitCode = INTERRUPTED;
      }
    });
}

const ANSWERS = `
A file of answers may have, each with the default of the questions:
  swarm: ward-7              data: ./scans --task lungs   cpuThreads: 2
  cpuShare: 0.5              memory: 4 GiB                upload: 2 MiB/s
  hours: ["22:00-07:00"]     pauseOnBattery: true         trust: [12D3KooW…]`;

function refuseWithoutTerminal(): void {
  if (process.stdin.isTTY && process.stderr.isTTY) return;
  throw new ConfigError(
    'init',
    'it asks questions, and there is no terminal to ask on',
    'Use --yes for the defaults and what options say, or --answers FILE',
  );
}

async function answersOf(file: string | undefined): Promise<Partial<Answers>> {
  if (file === undefined) return {};
  const { parseAnswers } = await import('../init/answers.ts');
  return parseAnswers(new TextDecoder().decode(await readInput('answers', file)), file);
}

/** Options that are there; the others must not hide what a file says. */
function answersIn(flags: InitFlags): Partial<Answers> {
  const { swarm, data, threads, memory, upload, hours, onBattery, trust } = flags;
  return {
    ...(swarm !== undefined && { swarm }),
    ...(data !== undefined && { data }),
    ...(threads !== undefined && { cpuThreads: threads }),
    ...(memory !== undefined && { memory }),
    ...(upload !== undefined && { upload }),
    ...(hours !== undefined && { hours: [...hours] }),
    ...(onBattery === true && { pauseOnBattery: false }),
    ...(trust !== undefined && { trust: [...trust] }),
  };
}
