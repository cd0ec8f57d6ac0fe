import { Command } from 'commander';
import pkg from '../package.json' with { type: 'json' };
import { registerAutodiff } from './commands/autodiff.ts';
import { registerBench } from './commands/bench.ts';
import { registerCancel } from './commands/cancel.ts';
import { registerCredits } from './commands/credits.ts';
import { registerData } from './commands/data.ts';
import { registerDoctor } from './commands/doctor.ts';
import { registerExperiment } from './commands/experiment.ts';
import { registerGradcheck } from './commands/gradcheck.ts';
import { registerJobs } from './commands/jobs.ts';
import { registerLaunch } from './commands/launch.ts';
import { registerModel } from './commands/model.ts';
import { registerPolicy } from './commands/policy.ts';
import { registerPrivacy } from './commands/privacy.ts';
import { registerSim } from './commands/sim.ts';
import { registerStatus } from './commands/status.ts';
import { registerStop } from './commands/stop.ts';
import { registerSwarm } from './commands/swarm.ts';
import { registerUp } from './commands/up.ts';
import { registerWatch } from './commands/watch.ts';
import { registerDemo } from './demo/index.ts';

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
    ...[registerDemo, registerUp, registerStatus, registerStop, registerDoctor, registerSwarm],
    registerData,
    ...[registerLaunch, registerJobs, registerWatch, registerCancel, registerModel],
    ...[registerPrivacy, registerCredits, registerPolicy],
    ...[registerGradcheck, registerAutodiff, registerSim, registerExperiment, registerBench],
  ];
  for (const register of registrations) register(program);
  return program;
}
