import type { JobView } from '@starling/control';
import type { Command } from 'commander';
import { addDaemonCommand, type DaemonOptions } from '../options.ts';
import {
  coloured,
  decimal,
  note,
  percent,
  print,
  printJson,
  printTable,
  shortHash,
} from '../output.ts';
import { type Column, oneLine } from '../table.ts';

const EPSILON: Column<JobView> = {
  title: 'EPSILON',
  value: ({ privacy }) => decimal(privacy?.epsilon ?? null, 2),
  align: 'right',
};

/** A column that has nothing for any job would take the place of what the others say. */
const columnsFor = (jobs: readonly JobView[]): readonly Column<JobView>[] => [
  { title: 'JOB', value: ({ id }) => shortHash(id) },
  { title: 'NAME', value: ({ name }) => name, flexible: true },
  { title: 'STANDING', value: ({ standing }) => standing },
  { title: 'PHASE', value: ({ phase }) => phase },
  {
    title: 'ROUNDS',
    value: ({ rounds, roundsWanted }) => `${rounds.length}/${roundsWanted}`,
    align: 'right',
  },
  {
    title: 'ACCURACY',
    value: ({ rounds }) => percent(rounds.at(-1)?.accuracy ?? null),
    align: 'right',
  },
  ...(jobs.some(({ privacy }) => privacy !== null) ? [EPSILON] : []),
  { title: 'DETAIL', value: ({ detail }) => detail, flexible: true },
];

export function registerJobs(program: Command): void {
  const jobs = addDaemonCommand(program, {
    usage: 'jobs',
    summary: 'list the jobs this daemon knows; approve or refuse one',
    examples: ['jobs', 'jobs approve mnist-mlp --data scans', 'jobs refuse 3f9a'],
  }).action(async (options: DaemonOptions) => {
    const { clientOf } = await import('../client.ts');
    const found = await clientOf(options).jobs();
    if (options.json) return printJson({ jobs: found });
    if (found.length === 0) note('no jobs are known here');
    else printTable(columnsFor(found), found);
  });
  registerApprove(jobs);
  registerRefuse(jobs);
}

function registerApprove(jobs: Command): void {
  addDaemonCommand(jobs, {
    usage: 'approve <job>',
    summary: 'take part in a job, named by its id, the beginning of it, or its name',
    examples: ['jobs approve mnist-mlp', 'jobs approve 3f9a --data scans'],
  })
    .option('--data <name>', 'the data set to train on (the first that fits)')
    .action(async (job: string, _: unknown, command: Command) => {
      const { clientOf } = await import('../client.ts');
      const options = command.optsWithGlobals<DaemonOptions & { data?: string }>();
      tell(await clientOf(options).approve(job, options.data), options);
    });
}

function registerRefuse(jobs: Command): void {
  addDaemonCommand(jobs, {
    usage: 'refuse <job>',
    summary: 'take no part in a job, or none from now on',
    examples: ['jobs refuse 3f9a'],
  }).action(async (job: string, _: unknown, command: Command) => {
    const { clientOf } = await import('../client.ts');
    const options = command.optsWithGlobals<DaemonOptions>();
    tell(await clientOf(options).refuse(job), options);
  });
}

function tell(view: JobView, { json }: DaemonOptions): void {
  if (json) printJson(view);
  else {
    const { id, name, standing, detail } = view;
    const shown = coloured(standing === 'participating' ? 'green' : 'yellow', standing);
    print(`${oneLine(name)} (${shortHash(id)}): ${shown}, ${oneLine(detail)}`);
  }
}
