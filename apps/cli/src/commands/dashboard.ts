import type { ListenView } from '@starling/control';
import { ConfigError } from '@starling/core';
import type { Command } from 'commander';
import { addLocalCommand, type JsonOption, type StateOption } from '../options.ts';
import { note, print, printJson } from '../output.ts';

interface DashboardOptions extends JsonOption, StateOption {
  readonly open?: true;
}

export function registerDashboard(program: Command): void {
  addLocalCommand(program, {
    usage: 'dashboard',
    summary: 'have the daemon serve its dashboard to this machine, and tell the address',
    examples: ['dashboard', 'dashboard --open'],
  })
    .option('--open', 'start the browser, too')
    .action(async ({ open, ...options }: DashboardOptions) => {
      const { clientOf, stateDirectoryOf } = await import('../client.ts');
      // By its directory, whatever STARLING_API says: only over the Unix socket may it be asked.
      const here = { state: stateDirectoryOf(options) };
      const address = addressOf(await clientOf(here).listen());
      if (options.json) printJson({ url: address });
      else print(address);
      note('the address lets its reader do all that you may: keep it to yourself');
      if (open) await startBrowser(address);
    });
}

/** The token is in the fragment, which browsers send to nobody. */
export const addressOf = ({ url, token }: ListenView): string =>
  `${url.replace(/\/$/, '')}/#token=${token}`;

/** The system's own way to open an address. */
export function openerOf(platform: string): readonly [command: string, ...args: string[]] {
  if (platform === 'darwin') return ['open'];
  // `start` takes its first argument in quotes for a title.
  return platform === 'win32' ? ['cmd', '/c', 'start', '""'] : ['xdg-open'];
}

async function startBrowser(address: string): Promise<void> {
  const { spawn } = await import('node:child_process');
  const [command, ...args] = openerOf(process.platform);
  const child = spawn(command, [...args, address], { detached: true, stdio: 'ignore' });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', () => {
      const hint = 'Open the address above by hand';
      reject(new ConfigError('open', `there is no ${command} to start a browser with`, hint));
    });
  });
  child.unref();
}
