import type { PrivacyView } from '@starling/control';
import { type Command, InvalidArgumentError } from 'commander';
import type { ExampleQuestion } from '../example-plan.ts';
import { addCommand, addDaemonCommand, type DaemonOptions, wholeNumber } from '../options.ts';
import { decimal, note, print, printFacts, printJson, printTable, shortHash } from '../output.ts';
import type { PlanQuestion } from '../privacy-plan.ts';
import { type Column, oneLine } from '../table.ts';

type DataSet = PrivacyView['datasets'][number];
interface Line {
  readonly dataset: string;
  readonly job: string;
  readonly updates: string;
  readonly epsilon: number;
  readonly delta: number;
  readonly left: string;
}

const COLUMNS: readonly Column<Line>[] = [
  { title: 'DATA', value: ({ dataset }) => dataset },
  { title: 'JOB', value: ({ job }) => job, flexible: true },
  { title: 'UPDATES', value: ({ updates }) => updates, align: 'right' },
  { title: 'EPSILON', value: ({ epsilon }) => decimal(epsilon, 3), align: 'right' },
  { title: 'DELTA', value: ({ delta }) => String(delta), align: 'right' },
  { title: 'LEFT', value: ({ left }) => left, align: 'right' },
];

export function registerPrivacy(program: Command): void {
  const privacy = addDaemonCommand(program, {
    usage: 'privacy',
    summary: 'show what your data sets have given away to jobs, and what your budgets leave',
    examples: ['privacy', 'privacy --json', 'privacy plan --epsilon 8 --rounds 100 --peers 50'],
  }).action(async (options: DaemonOptions) => {
    const { clientOf } = await import('../client.ts');
    const view = await clientOf(options).privacy();
    if (options.json) return printJson(view);
    if (view.datasets.length === 0) return note('no data set is offered here');
    printTable(COLUMNS, view.datasets.flatMap(linesOf));
    const free = view.datasets.filter(({ budget }) => budget === null);
    if (free.length === 0) return;
    const names = free.map(({ dataset }) => dataset).join(', ');
    note(`No budget is set for ${names}: policy.privacyBudget in the configuration sets one`);
  });
  registerPlan(privacy);
  registerExamplePlan(privacy);
}

/** A data set as a whole, each job that had something of it, and what single examples gave. */
function linesOf(view: DataSet): readonly Line[] {
  const { dataset, delta, epsilon, left, jobs, budget, examples } = view;
  const whole = { dataset, job: '', updates: '', epsilon, delta };
  const parts = jobs.map((each): Line => {
    const job = each.name === null ? shortHash(each.job) : oneLine(each.name);
    return {
      dataset: '',
      job,
      updates: String(each.updates),
      epsilon: each.epsilon,
      delta,
      left: '',
    };
  });
  const leftOf = (epsilonLeft: number | undefined) =>
    epsilonLeft === undefined ? 'no budget' : decimal(epsilonLeft, 3);
  const lines = [{ ...whole, left: leftOf(left?.epsilon) }, ...parts];
  if (examples === null) return lines;
  const single = { dataset: '', job: '(single examples)', updates: String(examples.trainings) };
  const rest = budget === null ? undefined : Math.max(0, budget.epsilon - examples.epsilon);
  return [...lines, { ...single, epsilon: examples.epsilon, delta, left: leftOf(rest) }];
}

interface PlanOptions extends Omit<PlanQuestion, 'minPeers'> {
  readonly minPeers?: number;
  readonly json?: true;
}

function registerPlan(privacy: Command): void {
  addCommand(privacy, {
    usage: 'plan',
    summary: 'compute the noise that a job needs for a guarantee, and what it costs',
    examples: [
      'privacy plan --epsilon 8 --rounds 100 --peers 50',
      'privacy plan --epsilon 2 --delta 1e-6 --rounds 20 --peers 64 --min-peers 40 --json',
    ],
  })
    .requiredOption('--epsilon <e>', 'what all updates of one peer may give away', above0)
    .option('--delta <d>', 'with a probability of at most this, more', aDelta, 1e-5)
    .requiredOption('--rounds <n>', 'rounds of the job', wholeNumber(1, 1_000_000))
    .requiredOption('--peers <n>', 'peers in a round (admission.maxPeers)', wholeNumber(3, 1024))
    .option('--min-peers <n>', 'fewest of them (as many)', wholeNumber(3, 1024))
    .option('--updates <n>', 'updates of one peer (a tenth more than rounds)', wholeNumber(1))
    .option('--parameters <n>', "the model's weights", wholeNumber(1), 200_000)
    .option('--ring-bits <n>', 'aggregation.ringBits', wholeNumber(16, 30), 24)
    .option('--clipping-norm <c>', 'aggregation.clippingNorm', above0, 10)
    .action(async (_: unknown, command: Command) => {
      const { planPrivacy } = await import('../privacy-plan.ts');
      const { json, ...given } = command.optsWithGlobals<PlanOptions>();
      const plan = planPrivacy({ ...given, minPeers: given.minPeers ?? given.peers });
      if (json) return printJson(plan);
      const { noiseMultiplier: multiplier, updatesMax, relativeError } = plan;
      printFacts([
        ['noise multiplier', multiplier.toFixed(4)],
        [
          'guarantee',
          `epsilon ${decimal(plan.epsilon)} at delta ${plan.delta}, ${updatesMax} updates`,
        ],
        [
          'counted on',
          `${plan.honestMin} honest of at least ${plan.survivorsMin} updates in a sum`,
        ],
        ['noise of a peer', `${plan.noisePerPeer.toPrecision(4)} on each weight`],
        ['noise of the mean', `${plan.noiseOfMean.toPrecision(4)} on each weight`],
        [
          'relative error',
          `${relativeError.toPrecision(4)} of the clipping norm (L2 norm of the noise)`,
        ],
        ['ring bits', `${plan.ringBitsNeeded} are enough`],
      ]);
      print('\nprivacy:');
      print(
        `  {mechanism: distributed-gaussian, epsilon: ${given.epsilon}, delta: ${given.delta}}`,
      );
    });
}

interface ExamplePlanOptions extends ExampleQuestion {
  readonly json?: true;
}

function registerExamplePlan(privacy: Command): void {
  addCommand(privacy, {
    usage: 'plan-examples',
    summary: 'compute the noise in training that hides single examples of a data set',
    examples: [
      'privacy plan-examples --epsilon 3 --examples 60000 --batch-size 256 --rounds 60',
      'privacy plan-examples --epsilon 8 --examples 5000 --epochs 2 --rounds 20 --json',
    ],
  })
    .requiredOption('--epsilon <e>', 'what all trainings may give away of an example', above0)
    .option('--delta <d>', 'with a probability of at most this, more', aDelta, 1e-5)
    .requiredOption('--examples <n>', 'that train: 9 in 10 of the data set', wholeNumber(1))
    .requiredOption('--rounds <n>', 'trainings of the data set', wholeNumber(1, 1_000_000))
    .option('--batch-size <n>', 'examples of a step (batchSize × accumulation)', wholeNumber(1), 32)
    .option('--epochs <n>', 'training.epochs', wholeNumber(1), 1)
    .option('--parameters <n>', "the model's weights", wholeNumber(1), 200_000)
    .action(async (_: unknown, command: Command) => {
      const { planExamples } = await import('../example-plan.ts');
      const { json, ...given } = command.optsWithGlobals<ExamplePlanOptions>();
      const plan = planExamples(given);
      if (json) return printJson(plan);
      const { noiseMultiplier, epsilon, delta, rate, steps, relativeError } = plan;
      printFacts([
        ['noise multiplier', noiseMultiplier.toFixed(4)],
        ['guarantee', `epsilon ${decimal(epsilon)} at delta ${delta} for every example`],
        ['counted on', `${steps} steps that draw an example with probability ${decimal(rate, 5)}`],
        [
          'relative error',
          `${relativeError.toPrecision(4)} of the clipping norm in a step (L2 norm of the noise)`,
        ],
      ]);
      print('\npolicy:');
      print(`  exampleNoise: {NAME: {clippingNorm: 1, noiseMultiplier: ${noiseMultiplier}}}`);
      print(`  privacyBudget: {NAME: {epsilon: ${given.epsilon}, delta: ${given.delta}}}`);
    });
}

function aDelta(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 1e-30 && value <= 0.01) return value;
  throw new InvalidArgumentError('expected a number from 1e-30 to 0.01');
}

function above0(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('expected a number above 0');
}
