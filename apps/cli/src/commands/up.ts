import type { Command } from 'commander';
import { addLocalCommand, oneOfWords } from '../options.ts';
import type { UpOptions } from '../start-daemon.ts';

/** Those of the trainer, which would take long to load. */
export const DEVICES = ['auto', 'cpu', 'webgpu', 'cuda', 'dml', 'coreml'] as const;

export function registerUp(program: Command): void {
  addLocalCommand(program, {
    usage: 'up',
    summary: 'start the daemon: works without any configuration, trains nothing without consent',
    examples: [
      'up --detach',
      'up --config starling.yaml --bootstrap /ip4/192.0.2.7/tcp/4001/p2p/12D3KooW…',
    ],
  })
    .option(
      '--config <file>',
      'configuration in YAML (starling.yaml in the state directory); the options go before it',
    )
    .option('--listen <addr...>', 'addresses to listen on, as /ip4/0.0.0.0/tcp/4001')
    .option('--bootstrap <addr...>', 'addresses of peers to start from')
    .option('--network <name>', 'the swarm; peers of different ones never mix')
    .option('--trust <peer...>', 'peers whose jobs start without asking')
    .option(
      '--device <name>',
      'where jobs train: auto, cpu, webgpu, cuda, dml or coreml (auto)',
      oneOfWords(DEVICES),
    )
    .option('--detach', 'return when the daemon is up, and leave it running')
    .action(async (options: UpOptions) => {
      const { startDaemon } = await import('../start-daemon.ts');
      await startDaemon(options);
    });
}
