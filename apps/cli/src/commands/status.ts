import type { Status } from '@starling/control';
import type { Command } from 'commander';
import { addDaemonCommand, type DaemonOptions } from '../options.ts';
import { bytesText, plural, print, printFacts, printJson, warn } from '../output.ts';
import { oneLine } from '../table.ts';
import { timeText } from '../terminal/bar.ts';

export function registerStatus(program: Command): void {
  addDaemonCommand(program, {
    usage: 'status',
    summary: 'show the running daemon: its peer id, addresses and connections',
    examples: ['status', 'status --json --state /srv/starling'],
  }).action(async (options: DaemonOptions) => {
    const { clientOf } = await import('../client.ts');
    const status = await clientOf(options).status();
    if (options.json) return printJson(status);
    printFacts([
      ['peer id', status.peerId],
      ['version', status.version],
      ['network', status.network],
      ['state', `${status.stateDirectory} (process ${status.pid})`],
      ['up for', timeText(status.uptimeSeconds)],
      ['peers', `${status.peers.length} connected, ${status.routingTable} in the routing table`],
      ['jobs', String(status.jobs)],
      ['data sets', String(status.dataSets)],
      ...resourceFacts(status.resources),
    ]);
    for (const each of status.training) print(`\n${trainingLine(each)}`);
    print(`\n${plural(status.addresses.length, 'address', 'addresses')}:`);
    for (const address of status.addresses) print(`  ${address}`);
    if (status.bootstrap.length > 0) print('\nbootstrap:');
    for (const { address, state, error } of status.bootstrap) {
      print(`  ${address}  ${state}${error === undefined ? '' : ` (${error})`}`);
    }
    if (status.events.length > 0) print('\nevents:');
    for (const sink of status.events) print(`  ${sinkLine(sink)}`);
    if (status.checkpoints !== null)
      print(`\ncheckpoints:\n  ${checkpointsLine(status.checkpoints)}`);
    for (const warning of status.warnings) warn(`\nwarning: ${warning}`);
  });
}

const PAUSES: Readonly<Record<Status['resources']['paused'][number], string>> = {
  hours: 'outside of resources.hours',
  battery: 'the machine runs on its battery (resources.pauseOnBattery)',
  busy: 'others use the machine (resources.pauseWhenBusy)',
  memory: 'more memory is in use than resources.memory or the container allows',
};

type Fact = readonly [name: string, value: string];

/** What Starling takes of the machine, beside its caps. */
function resourceFacts(resources: Status['resources']): readonly Fact[] {
  const { paused, upload, download, disk, memory, container, trainer } = resources;
  const pace = ({ perSecond, max }: typeof upload) =>
    `${bytesText(perSecond)}/s${max === null ? '' : ` of ${bytesText(max)}/s`}`;
  const pins = disk.pinned > 0 ? `, ${bytesText(disk.pinned)} of it stays` : '';
  const share = trainer.cpuShare < 1 ? `, ${Math.round(100 * trainer.cpuShare)} % of the time` : '';
  const limits = [
    ...(container.memory === null ? [] : [`${bytesText(container.memory)} of memory`]),
    ...(container.cpus === null ? [] : [`${container.cpus} CPUs`]),
  ];
  return [
    ['rounds', paused.length === 0 ? 'taking part' : `paused: ${reasonsOf(paused)}`],
    ['upload', pace(upload)],
    ['download', pace(download)],
    ['disk', `${bytesText(disk.bytes)} of ${bytesText(disk.max)} for ${disk.blobs} blobs${pins}`],
    [
      'memory',
      `${bytesText(memory.bytes)}${memory.max === null ? '' : ` of ${bytesText(memory.max)}`}`,
    ],
    ['trainer', `${plural(trainer.cpuThreads, 'thread')}${share}`],
    ...(limits.length > 0 ? [['container', limits.join(', ')] as const] : []),
  ];
}

const reasonsOf = (paused: Status['resources']['paused']): string =>
  paused.map((reason) => PAUSES[reason]).join('; ');

function trainingLine(training: Status['training'][number]): string {
  const { name, step, steps, examplesPerSecond, secondsLeft } = training;
  const part = `${Math.floor((100 * step) / steps)} % of this round`;
  const left = `${timeText(secondsLeft)} left`;
  return `training ${oneLine(name)}: ${part}, ${examplesPerSecond.toFixed(1)} examples/s, ${left}`;
}

function checkpointsLine(checkpoints: NonNullable<Status['checkpoints']>): string {
  const { to, state, written, found, pending, skipped, last, lastError } = checkpoints;
  const lost = skipped > 0 ? `, ${skipped} left out` : '';
  const newest = last === null ? '' : `, the last one ${timeText(last.secondsAgo)} ago`;
  const why = lastError === null ? '' : ` (${lastError})`;
  const counts = `${written} written, ${found} there already, ${pending} pending${lost}${newest}`;
  return oneLine(`${to}  ${state}: ${counts}${why}`);
}

function sinkLine(sink: Status['events'][number]): string {
  const { name, target, state, behind, delivered, setAside, missed, lastError } = sink;
  const lost = missed > 0 ? `, ${missed} lost` : '';
  const aside = setAside > 0 ? `, ${setAside} set aside` : '';
  const why = lastError === null ? '' : ` (${lastError})`;
  const counts = `${delivered} delivered, ${behind} behind${aside}${lost}`;
  return oneLine(`${name}  ${target}  ${state}: ${counts}${why}`);
}
