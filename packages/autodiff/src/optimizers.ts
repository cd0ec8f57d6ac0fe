import { ConfigError } from '@starling/core';

export const OPTIMIZER_KINDS = ['sgd', 'adam', 'adamw', 'rmsprop', 'adagrad'] as const;
export type OptimizerKind = (typeof OPTIMIZER_KINDS)[number];

/** Numbers of an optimiser; each has the meaning of PyTorch's. */
export interface OptimizerSettings {
  readonly optimizer: OptimizerKind;
  /** `sgd` and `rmsprop`; without dampening. */
  readonly momentum: number;
  /** `sgd` with momentum: looks one step ahead. */
  readonly nesterov: boolean;
  /** `adam` and `adamw`. */
  readonly beta1: number;
  readonly beta2: number;
  /** `rmsprop`: what stays of the mean square. */
  readonly alpha: number;
  /** Added to the root, not under it. */
  readonly epsilon: number;
  /** Added to the gradient as weightDecay · weight; `adamw` shrinks the weight itself instead. */
  readonly weightDecay: number;
}

const NONE = { momentum: 0, nesterov: false, beta1: 0.9, beta2: 0.999, alpha: 0.99 } as const;

/** PyTorch's defaults of each optimiser, and SGD with momentum under the names it goes by. */
const PRESETS = {
  sgd: { ...NONE, optimizer: 'sgd', epsilon: 1e-8, weightDecay: 0 },
  momentum: { ...NONE, optimizer: 'sgd', momentum: 0.9, epsilon: 1e-8, weightDecay: 0 },
  nesterov: {
    ...NONE,
    ...{ optimizer: 'sgd', momentum: 0.9, nesterov: true, epsilon: 1e-8, weightDecay: 0 },
  },
  adam: { ...NONE, optimizer: 'adam', epsilon: 1e-8, weightDecay: 0 },
  adamw: { ...NONE, optimizer: 'adamw', epsilon: 1e-8, weightDecay: 0.01 },
  rmsprop: { ...NONE, optimizer: 'rmsprop', epsilon: 1e-8, weightDecay: 0 },
  adagrad: { ...NONE, optimizer: 'adagrad', epsilon: 1e-10, weightDecay: 0 },
} as const satisfies Readonly<Record<string, OptimizerSettings>>;
export type OptimizerName = keyof typeof PRESETS;
export const OPTIMIZER_NAMES: readonly string[] = Object.keys(PRESETS);

/** An optimiser with PyTorch's defaults but for `changes`. */
export const optimizerSettings = (
  name: OptimizerName,
  changes: Partial<Omit<OptimizerSettings, 'optimizer'>> = {},
): OptimizerSettings => ({ ...PRESETS[name], ...changes });

/** @throws ConfigError listing the optimisers that exist */
export function optimizerNamed(name: string): OptimizerName {
  if (isOptimizerName(name)) return name;
  throw new ConfigError(
    'optimizer',
    `unknown: ${name}`,
    `Use one of ${OPTIMIZER_NAMES.join(', ')}`,
  );
}

const isOptimizerName = (name: string): name is OptimizerName => Object.hasOwn(PRESETS, name);
