import { Command } from 'commander';
import pkg from '../package.json' with { type: 'json' };
import { registerAutodiff } from './commands/autodiff.ts';
import { registerBench } from './commands/bench.ts';
import { registerCancel } from './commands/cancel.ts';
import { registerCompletion } from './commands/completion.ts';
import { registerCredits } from './commands/credits.ts';
import { registerDashboard } from './commands/dashboard.ts';
import { registerData } from './commands/data.ts';
import { registerDoctor } from './commands/doctor.ts';
import { registerEvents } from './commands/events.ts';
import { registerExperiment } from './commands/experiment.ts';
import { registerGradcheck } from './commands/gradcheck.ts';
import { registerHelp } from './commands/help.ts';
import { registerInfer } from './commands/infer.ts';
import { registerInit } from './commands/init.ts';
import { registerJobs } from './commands/jobs.ts';
import { registerLaunch } from './commands/launch.ts';
import { registerLedger } from './commands/ledger.ts';
import { registerLogs } from './commands/logs.ts';
import { registerModel } from './commands/model.ts';
import { registerPolicy } from './commands/policy.ts';
import { registerPrivacy } from './commands/privacy.ts';
import { registerReproduce } from './commands/reproduce.ts';
import { registerSim } from './commands/sim.ts';
import { registerStatus } from './commands/status.ts';
import { registerStop } from './commands/stop.ts';
import { registerSwarm } from './commands/swarm.ts';
import { registerUp } from './commands/up.ts';
import { registerWatch } from './commands/watch.ts';
import { registerDemo } from './demo/index.ts';
import { refuseUnknown } from './suggest.ts';

/**
 * All commands, none of which has loaded more than it needs to be named: each brings the packages
 * it works with when it runs. Errors are thrown, not printed.
 */
export function createProgram(): Command {
  const program = new Command('starling')
    .description('Peer-to-peer federated learning with secure aggregation and no coordinator')
    .version(pkg.version)
    .exitOverride()
    .configureOutput({ outputError: () => {} });
  const registrations = [
    ...[registerDemo, registerInit, registerUp, registerStatus, registerLogs, registerStop],
    ...[registerDoctor, registerDashboard, registerSwarm],
    registerData,
    ...[registerLaunch, registerJobs, registerWatch, registerEvents, registerCancel, registerModel],
    registerInfer,
    ...[registerPrivacy, registerCredits, registerLedger, registerPolicy],
    ...[registerGradcheck, registerAutodiff, registerSim, registerExperiment],
    ...[registerReproduce, registerBench],
    ...[registerCompletion, registerHelp],
  ];
  for (const register of registrations) register(program);
  finish(program);
  return program;
}

/** What all commands have in common, once they are there. */
function finish(command: Command): void {
  // `starling help` explains those below, too.
  command.helpCommand(false);
  for (const child of command.commands) finish(child);
  const isBoth = command.commands.length > 0 && command.registeredArguments.length === 0;
  if (!isBoth || command.parent === null) return;
  // Of a command with others below, commander takes a mistyped one for an argument too many.
  command.allowExcessArguments(true);
  command.hook('preAction', (_, acting) => {
    const [word] = acting === command ? command.args : [];
    if (word !== undefined) refuseUnknown(command, word);
  });
}
