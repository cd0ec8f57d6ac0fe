/** The fields of a job file as the form has them: the schema's, and tested against it. */
export type Values = Readonly<Record<string, string>>;

interface Common {
  /** Where it stands in the job file. */
  readonly path: string;
  readonly label: string;
  readonly hint?: string;
  /** What holds when it is left empty; undefined where it must be filled, or depends. */
  readonly usual?: string;
  /** Shown in an empty field that may stay so. */
  readonly placeholder?: string;
  readonly required?: boolean;
  /** Behind "More". */
  readonly rare?: boolean;
  /** Whether it means anything beside the other values; others are neither shown nor sent. */
  readonly when?: (values: Values) => boolean;
}
export interface TextField extends Common {
  readonly kind: 'text';
  readonly lengthMax: number;
}
export interface NumberField extends Common {
  readonly kind: 'number';
  readonly whole?: boolean;
  readonly min?: number;
  readonly max?: number;
  /** Limits that are themselves not allowed. */
  readonly above?: number;
  readonly below?: number;
}
export interface ChoiceField extends Common {
  readonly kind: 'choice';
  readonly options: readonly string[];
}
/** Whole numbers above 0 for a shape, numbers from 0 for weights, or texts. */
export interface ListField extends Common {
  readonly kind: 'list';
  readonly of: 'dimensions' | 'weights' | 'patterns';
  readonly itemsMax: number;
}
export type Field = TextField | NumberField | ChoiceField | ListField;

export interface Group {
  readonly title: string;
  readonly note: string;
  readonly fields: readonly Field[];
}

const YES_NO = ['true', 'false'] as const;
export const isFlag = ({ kind, ...field }: Field): boolean =>
  kind === 'choice' && (field as ChoiceField).options === YES_NO;

const choice = (
  path: string,
  label: string,
  options: readonly string[],
  more: Partial<ChoiceField> = {},
): ChoiceField => ({ kind: 'choice', path, label, options, usual: options[0]!, ...more });

const flag = (path: string, label: string, usual: boolean, more: Partial<ChoiceField> = {}) =>
  choice(path, label, YES_NO, { usual: String(usual), ...more });

const number = (path: string, label: string, more: Partial<NumberField>): NumberField => ({
  kind: 'number',
  path,
  label,
  ...more,
});

const whole = (path: string, label: string, more: Partial<NumberField>): NumberField =>
  number(path, label, { whole: true, ...more });

/** Whether a choice is among `names`; unanswered ones have their first option. */
const is =
  (path: string, ...names: readonly string[]) =>
  (values: Values): boolean =>
    names.includes(values[path] || (FIRST[path] ?? ''));

const FIRST: Readonly<Record<string, string>> = {
  'training.optimizer': 'sgd',
  'training.schedule.kind': 'constant',
  'aggregation.algorithm': 'fedavg',
  'aggregation.weighting': 'uniform',
  'aggregation.combination': 'norm-clip',
  'privacy.mechanism': 'none',
  loss: 'softmax-cross-entropy',
};
const isNoisy = is('privacy.mechanism', 'distributed-gaussian');

const BASICS: Group = {
  title: 'Job',
  note: 'What the swarm will see, and the model whose weights are round 0.',
  fields: [{ kind: 'text', path: 'name', label: 'Name', lengthMax: 128, required: true }],
};

const DATA: Group = {
  title: 'Data',
  note: 'What a data set must be like to take part.',
  fields: [
    {
      ...{ kind: 'text', path: 'data.task', label: 'Task', lengthMax: 64, required: true },
      hint: 'Peers offer data sets by their task, such as mnist.',
    },
    choice('data.input.dtype', 'Input type', ['float32', 'int32'], {
      hint: 'Numbers, or indices of tokens.',
    }),
    {
      ...{ kind: 'list', of: 'dimensions', itemsMax: 8, required: true },
      ...{
        path: 'data.input.shape',
        label: 'Input shape',
        hint: 'Of one example: 784, or 3, 32, 32.',
      },
    },
    choice('data.target', 'Target', ['classes', 'numbers', 'sequence', 'none'], {
      ...{ usual: '', placeholder: 'as classes and input say', rare: true },
    }),
    whole('data.classes', 'Classes', { min: 0, usual: '0', hint: '0 for numbers as targets.' }),
    choice('loss', 'Loss', [
      ...['softmax-cross-entropy', 'mean-squared-error', 'sigmoid-binary-cross-entropy'],
      ...['mean-absolute-error', 'huber', 'smooth-l1', 'model-output'],
    ]),
  ],
};

const LOSS_OPTIONS: readonly Field[] = [
  number('training.lossOptions.labelSmoothing', 'Label smoothing', {
    ...{ min: 0, below: 1, usual: '0', rare: true },
  }),
  whole('training.lossOptions.ignoreIndex', 'Ignored label', {
    ...{ min: -(2 ** 31), max: 2 ** 31 - 1, placeholder: 'none', rare: true },
  }),
  {
    ...{
      kind: 'list',
      of: 'weights',
      itemsMax: 256,
      rare: true,
      usual: '',
      placeholder: 'all alike',
    },
    ...{ path: 'training.lossOptions.classWeights', label: 'Weights of classes' },
  },
  number('training.lossOptions.delta', 'Delta of the loss', { above: 0, usual: '1', rare: true }),
];

const SCHEDULE: readonly Field[] = [
  choice('training.schedule.kind', 'Schedule', ['constant', 'step', 'cosine', 'polynomial'], {
    rare: true,
  }),
  choice('training.schedule.per', 'Schedule counts', ['step', 'round'], { rare: true }),
  whole('training.schedule.warmup', 'Warm-up', { min: 0, max: 1e6, usual: '0', rare: true }),
  whole('training.schedule.every', 'Step length', {
    ...{
      min: 1,
      max: 1e6,
      placeholder: '1',
      rare: true,
      when: is('training.schedule.kind', 'step'),
    },
  }),
  number('training.schedule.factor', 'Step factor', {
    ...{ above: 0, placeholder: '1', rare: true, when: is('training.schedule.kind', 'step') },
  }),
  whole('training.schedule.length', 'Schedule length', {
    ...{ min: 0, max: 1e6, placeholder: '0', rare: true },
    when: is('training.schedule.kind', 'cosine', 'polynomial'),
  }),
  number('training.schedule.power', 'Power', {
    ...{ above: 0, placeholder: '1', rare: true, when: is('training.schedule.kind', 'polynomial') },
  }),
  number('training.schedule.floor', 'Least part of the rate', {
    ...{ min: 0, max: 1, placeholder: '0', rare: true },
    when: is('training.schedule.kind', 'cosine', 'polynomial'),
  }),
];

const OPTIMIZER: readonly Field[] = [
  number('training.momentum', 'Momentum', {
    ...{ min: 0, below: 1, placeholder: '0', when: is('training.optimizer', 'sgd', 'rmsprop') },
  }),
  flag('training.nesterov', 'Nesterov momentum', false, {
    ...{ rare: true, when: is('training.optimizer', 'sgd') },
  }),
  number('training.beta1', 'Beta 1', {
    ...{ min: 0, below: 1, placeholder: '0.9', rare: true },
    when: is('training.optimizer', 'adam', 'adamw'),
  }),
  number('training.beta2', 'Beta 2', {
    ...{ min: 0, below: 1, placeholder: '0.999', rare: true },
    when: is('training.optimizer', 'adam', 'adamw'),
  }),
  number('training.alpha', 'Alpha', {
    ...{ min: 0, below: 1, placeholder: '0.99', rare: true },
    when: is('training.optimizer', 'rmsprop'),
  }),
  number('training.epsilon', "Optimiser's epsilon", {
    ...{ above: 0, rare: true, placeholder: '1e-8' },
    when: is('training.optimizer', 'adam', 'adamw', 'rmsprop', 'adagrad'),
  }),
  number('training.weightDecay', 'Weight decay', {
    ...{ min: 0, placeholder: '0; 0.01 for adamw', rare: true },
  }),
];

const TRAINING: Group = {
  title: 'Training',
  note: 'What each peer does with its own data in a round.',
  fields: [
    whole('training.epochs', 'Epochs a round', { min: 1, max: 1000, usual: '1' }),
    whole('training.batchSize', 'Batch size', { min: 1, max: 65_536, usual: '32' }),
    choice('training.optimizer', 'Optimiser', ['sgd', 'adam', 'adamw', 'rmsprop', 'adagrad']),
    number('training.learningRate', 'Learning rate', { above: 0, usual: '0.1' }),
    ...OPTIMIZER,
    whole('training.steps', 'Most steps a round', {
      ...{
        min: 0,
        max: 10_000_000,
        usual: '0',
        rare: true,
        hint: '0 for as many as the epochs have.',
      },
    }),
    whole('training.patience', 'Patience', {
      ...{ min: 0, max: 1000, usual: '0', rare: true },
      hint: 'Epochs without a lower validation loss after which training stops; 0 for never.',
    }),
    whole('training.seconds', 'Seconds', {
      ...{ min: 0, max: 86_400, usual: '0', rare: true },
      hint: 'After which a slow peer ends a round’s training with the steps it has; 0 for never.',
    }),
    whole('training.accumulation', 'Accumulation', { min: 1, max: 65_536, usual: '1', rare: true }),
    number('training.proximal', 'Proximal term', {
      ...{ min: 0, usual: '0', hint: 'Keeps peers near the global model; fedprox needs it.' },
      rare: true,
    }),
    number('training.clipping.norm', 'Clip gradients to norm', { min: 0, usual: '0', rare: true }),
    number('training.clipping.value', 'Clip gradients to value', {
      min: 0,
      usual: '0',
      rare: true,
    }),
    ...SCHEDULE,
    {
      ...{ kind: 'list', of: 'patterns', itemsMax: 16, path: 'training.frozen', usual: '' },
      ...{
        label: 'Frozen weights',
        hint: 'Names, * for any text.',
        rare: true,
        placeholder: 'none',
      },
    },
    {
      ...{ kind: 'list', of: 'patterns', itemsMax: 8, path: 'training.personal', usual: '' },
      ...{
        label: 'Personal weights',
        hint: 'They stay at their peer.',
        rare: true,
        placeholder: 'none',
      },
    },
    flag('training.dropout', 'Dropout layers', true, { rare: true }),
    ...LOSS_OPTIONS,
  ],
};

const ALGORITHM: readonly Field[] = [
  number('aggregation.learningRate', "Server optimiser's rate", {
    ...{ above: 0, rare: true, placeholder: '1; 0.7 for diloco, 0.1 for adaptive ones' },
  }),
  number('aggregation.momentum', "Server optimiser's momentum", {
    ...{ min: 0, below: 1, placeholder: '0.9', rare: true },
    when: is('aggregation.algorithm', 'fedavgm', 'diloco'),
  }),
  number('aggregation.beta1', "Server optimiser's beta 1", {
    ...{ min: 0, below: 1, placeholder: '0.9', rare: true },
    when: is('aggregation.algorithm', 'fedadam', 'fedyogi', 'fedadagrad'),
  }),
  number('aggregation.beta2', "Server optimiser's beta 2", {
    ...{ min: 0, below: 1, placeholder: '0.99', rare: true },
    when: is('aggregation.algorithm', 'fedadam', 'fedyogi'),
  }),
  number('aggregation.tau', "Server optimiser's tau", {
    ...{ above: 0, placeholder: '0.001', rare: true },
    when: is('aggregation.algorithm', 'fedadam', 'fedyogi', 'fedadagrad'),
  }),
  whole('aggregation.referenceSteps', 'Steps of a usual peer', {
    ...{ min: 1, max: 2 ** 18 - 1, placeholder: '32', rare: true },
    when: is('aggregation.algorithm', 'fednova', 'scaffold'),
  }),
];

const AGGREGATION: Group = {
  title: 'Aggregation',
  note: 'How the masked updates are added up and applied.',
  fields: [
    choice('aggregation.algorithm', 'Algorithm', [
      ...['fedavg', 'fedavgm', 'fedadam', 'fedyogi', 'fedadagrad', 'fednova', 'diloco', 'scaffold'],
      'fedprox',
    ]),
    choice('aggregation.weighting', 'Weighting', ['uniform', 'examples']),
    whole('aggregation.weightCap', 'Most examples that count', {
      ...{ min: 1, max: 2 ** 18 - 1, placeholder: '1000' },
      when: is('aggregation.weighting', 'examples'),
    }),
    number('aggregation.clippingNorm', 'Clipping norm', { above: 0, usual: '10' }),
    number('aggregation.phaseSeconds', 'Seconds of a phase', { above: 0, max: 3600, usual: '10' }),
    ...ALGORITHM,
    choice(
      'aggregation.combination',
      'Combination of cells',
      [
        ...['mean', 'norm-clip', 'centered-clip', 'geometric-median', 'multi-krum', 'median'],
        'trimmed-mean',
      ],
      { usual: 'norm-clip', rare: true },
    ),
    number('aggregation.corruptCells', 'Part of cells that may lie', {
      ...{ min: 0, below: 0.5, placeholder: '0.25', rare: true },
      when: is('aggregation.combination', 'multi-krum', 'trimmed-mean'),
    }),
    whole('aggregation.ringBits', 'Ring bits', { min: 8, max: 30, usual: '24', rare: true }),
    number('aggregation.bufferRange', 'Range of buffers', { above: 0, usual: '100', rare: true }),
    whole('aggregation.replication', 'Owners of a chunk', {
      ...{ min: 0, max: 4, usual: '0', rare: true, hint: '0 takes f + 1 of the roster.' },
    }),
    whole('aggregation.cellSize', 'Peers of a cell', {
      ...{ min: 0, max: 64, usual: '0', rare: true, hint: '0 means 64.' },
    }),
    choice('aggregation.graph', 'Graph', ['complete', 'wide'], { rare: true }),
    choice('aggregation.unmasking', 'Unmasking', ['local', 'shared'], { rare: true }),
    choice('aggregation.rotation', 'Rotation', ['none', 'hadamard'], { rare: true }),
    flag('aggregation.errorFeedback', 'Error feedback', false, { rare: true }),
    number('aggregation.sparsity', 'Part of the weights sent', {
      ...{ above: 0, max: 1, usual: '1', rare: true },
    }),
  ],
};

const PRIVACY: Group = {
  title: 'Privacy',
  note: 'Sums are masked in any case; noise also bounds what the sum itself gives away.',
  fields: [
    choice('privacy.mechanism', 'Mechanism', ['none', 'distributed-gaussian']),
    number('privacy.epsilon', 'Epsilon', {
      ...{ above: 0, max: 1000, when: isNoisy, placeholder: 'such as 8' },
      hint: 'What all updates of one peer may give away. This, or the noise multiplier.',
    }),
    number('privacy.noiseMultiplier', 'Noise multiplier', {
      ...{ above: 0, when: isNoisy, placeholder: 'in place of epsilon' },
    }),
    number('privacy.delta', 'Delta', {
      ...{ min: 1e-30, max: 0.01, when: isNoisy, placeholder: '0.00001' },
    }),
    whole('privacy.updatesMax', 'Updates of one peer', {
      ...{ min: 1, max: 2_000_000, when: isNoisy, placeholder: 'a tenth more than the rounds' },
    }),
  ],
};

const ADMISSION: Group = {
  title: 'Admission',
  note: 'Who may take part, and how long a round waits for them.',
  fields: [
    whole('admission.minPeers', 'Fewest peers', { min: 3, max: 1024, usual: '3' }),
    whole('admission.maxPeers', 'Most peers', { min: 3, max: 1024, usual: '64' }),
    number('admission.joinWindowSeconds', 'Seconds to join', { above: 0, max: 86_400, usual: '5' }),
    number('admission.participation', 'Part that trains in a round', {
      ...{ above: 0, max: 1, usual: '1', rare: true },
    }),
  ],
};

const STOP: Group = {
  title: 'Stop',
  note: 'The job ends after so many rounds, or before, when it is good enough.',
  fields: [
    whole('stop.rounds', 'Rounds', { min: 1, max: 1_000_000, required: true }),
    number('stop.minutes', 'Minutes', {
      ...{ above: 0, max: 10_000_000, placeholder: 'as long as it takes' },
      hint: "The job ends before, when its rounds took so long by their peers' clocks.",
    }),
    choice('stop.target.metric', 'Stop early by', ['accuracy', 'loss'], {
      ...{ usual: '', placeholder: 'nothing' },
    }),
    number('stop.target.value', 'When it reaches', {
      ...{ min: 0, required: true, when: ({ ['stop.target.metric']: metric }) => Boolean(metric) },
    }),
  ],
};

export const GROUPS: readonly Group[] = [
  ...[BASICS, DATA, TRAINING, AGGREGATION, PRIVACY, ADMISSION, STOP],
];
export const FIELDS: readonly Field[] = GROUPS.flatMap(({ fields }) => fields);

/** Whether a field means anything beside these values. */
export const applies = ({ when }: Field, values: Values): boolean => when?.(values) ?? true;
