import type { Training } from '@starling/protocol-rounds';

type Check = readonly [ok: boolean, fault: string];

/** Why no peer should train by such settings, or undefined. */
export function trainingFault(training: Training): string | undefined {
  const checks = [
    ...optimizerChecks(training),
    ...scheduleChecks(training),
    ...lossChecks(training),
    ...metricChecks(training),
  ];
  const fault = checks.find(([ok]) => !ok)?.[1];
  return fault === undefined ? undefined : `training.${fault}`;
}

const isPositive = (value: number): boolean => Number.isFinite(value) && value > 0;
const isBound = (value: number): boolean => Number.isFinite(value) && value >= 0;
const isShare = (value: number): boolean => value >= 0 && value < 1;

function optimizerChecks(training: Training): readonly Check[] {
  const { epochs, batchSize, accumulation, momentum, nesterov, clipping } = training;
  return [
    [epochs >= 1 && batchSize >= 1, 'epochs and batchSize start at 1'],
    [accumulation >= 1, 'accumulation starts at 1'],
    [isPositive(training.learningRate), 'learningRate must be positive'],
    [isShare(momentum), 'momentum must be in [0, 1)'],
    [!nesterov || momentum > 0, 'nesterov needs momentum'],
    [isShare(training.beta1) && isShare(training.beta2), 'beta1 and beta2 must be in [0, 1)'],
    [isShare(training.alpha), 'alpha must be in [0, 1)'],
    [isPositive(training.epsilon), 'epsilon must be positive'],
    [isBound(training.weightDecay), 'weightDecay must not be negative'],
    [isBound(clipping.norm) && isBound(clipping.value), 'clipping must not be negative'],
    [isBound(training.proximal), 'proximal must not be negative'],
    [training.frozen.every((pattern) => pattern !== ''), 'frozen holds an empty pattern'],
    [training.personal.every((pattern) => pattern !== ''), 'personal holds an empty pattern'],
  ];
}

function scheduleChecks({ schedule }: Training): readonly Check[] {
  const { every, factor, power, floor } = schedule;
  return [
    [every >= 1, 'schedule.every starts at 1'],
    [isPositive(factor), 'schedule.factor must be positive'],
    [isPositive(power), 'schedule.power must be positive'],
    [floor >= 0 && floor <= 1, 'schedule.floor must be in [0, 1]'],
  ];
}

function lossChecks({ lossOptions }: Training): readonly Check[] {
  const { labelSmoothing, classWeights, delta } = lossOptions;
  const some = classWeights.length === 0 || classWeights.some((weight) => weight > 0);
  return [
    [isShare(labelSmoothing), 'lossOptions.labelSmoothing must be in [0, 1)'],
    [classWeights.every(isBound) && some, 'lossOptions.classWeights must not be negative'],
    [isPositive(delta), 'lossOptions.delta must be positive'],
  ];
}

function metricChecks({ metrics }: Training): readonly Check[] {
  const names = metrics.map(({ name }) => name);
  const bounds = metrics.every(({ low, high }) => Number.isFinite(high - low) && low < high);
  const taken = ['accuracy', 'loss', 'examples'];
  return [
    [new Set(names).size === names.length, 'metrics has a name twice'],
    [
      names.every((name) => name !== '' && !taken.includes(name)),
      'metrics has a name that is taken',
    ],
    [bounds, 'metrics: low must be below high'],
  ];
}
