import { resolve } from 'node:path';
import { errorMessage } from '@starling/core';
import type { Command } from 'commander';
import type { CheckResult, Finding, Verdict } from '../doctor/check.ts';
import { EXIT } from '../failures.ts';
import { addLocalCommand, type JsonOption, type StateOption } from '../options.ts';
import { coloured, note, plural, print, printJson } from '../output.ts';

interface Options extends JsonOption, StateOption {
  readonly config?: string;
}

/** The bundled child lies beside ours. */
const CHILD = new URL('./trainer-child.js', import.meta.url);

export function registerDoctor(program: Command): void {
  addLocalCommand(program, {
    usage: 'doctor',
    summary: 'look for what keeps this machine from taking part, and say what to do about it',
    examples: ['doctor', 'doctor --config starling.yaml --json'],
  })
    .option('--config <file>', "the daemon's configuration in YAML (starling.yaml in its state)")
    .action(async (options: Options) => {
      const { stateDirectoryOf } = await import('../client.ts');
      const { hasFailed, runChecks } = await import('../doctor/check.ts');
      const { thisMachine } = await import('../doctor/machine.ts');
      const { allChecks } = await import('../doctor/registry.ts');
      const { openNetworkProbe } = await import('../doctor/network-probe.ts');
      const { openTrainerProbe } = await import('../doctor/trainer-probe.ts');
      const { configFileOf } = await import('@starling/daemon');
      const stateDirectory = resolve(stateDirectoryOf(options));
      const path = configFileOf(stateDirectory, options.config);
      const { config, error } = await configurationOf(path);
      const configFile = { path, error };
      const trainer = openTrainerProbe(config, CHILD);
      const network = openNetworkProbe(config, stateDirectory);
      try {
        const checks = allChecks({
          ...{ machine: thisMachine, stateDirectory, config, configFile, trainer, network },
        });
        const results = await runChecks(checks, options.json ? undefined : show);
        const failed = hasFailed(results);
        if (options.json) printJson({ ok: !failed, checks: results });
        else sumUp(results);
        if (failed) process.exitCode = EXIT.failure;
      } finally {
        await trainer.close();
      }
    });
}

/** A configuration that cannot be used is a finding, and the other checks go on. */
async function configurationOf(file: string | undefined) {
  const { loadConfig } = await import('@starling/daemon');
  try {
    return { config: loadConfig(file), error: undefined };
  } catch (error) {
    return { config: loadConfig(undefined), error: errorMessage(error) };
  }
}

const COLOURS: Readonly<Record<Verdict, 'green' | 'yellow' | 'red' | 'dim'>> = {
  ...{ ok: 'green', warn: 'yellow', fail: 'red', skipped: 'dim' },
};
const WIDTH = 7;

function show({ title, findings }: CheckResult): void {
  print(title);
  for (const { verdict, evidence, next } of findings) {
    print(`  ${coloured(COLOURS[verdict], verdict.padEnd(WIDTH))}  ${evidence}`);
    if (next !== undefined) print(`  ${''.padEnd(WIDTH)}  → ${next}`);
  }
}

function sumUp(results: readonly CheckResult[]): void {
  const all: readonly Finding[] = results.flatMap(({ findings }) => findings);
  const count = (verdict: Verdict) => all.filter((each) => each.verdict === verdict).length;
  const [fails, warnings] = [count('fail'), count('warn')];
  if (fails > 0) note(`starling: ${plural(fails, 'failure')}, ${plural(warnings, 'warning')}`);
  else print(`\nnothing keeps this machine from taking part (${plural(warnings, 'warning')})`);
}
