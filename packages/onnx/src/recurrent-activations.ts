import type { FunctionCall } from './function-call.ts';
import { float, type Node } from './types.ts';

/** Adds the nodes of an activation. */
export type Activation = (value: string) => string;

interface Kind {
  readonly apply: (call: FunctionCall, value: string, alpha: number, beta: number) => string;
  /** Defaults of the settings that it takes. */
  readonly alpha?: number;
  readonly beta?: number;
}

const plain = (op: string): Kind => ({ apply: (call, value) => call.op(op, [value]) });

/** As the recurrent operators name them, in lower case. */
const KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ['sigmoid', plain('Sigmoid')],
  ['tanh', plain('Tanh')],
  ['relu', plain('Relu')],
  ['softplus', plain('Softplus')],
  [
    'softsign',
    { apply: (call, value) => call.div(value, call.add(call.number(1), call.op('Abs', [value]))) },
  ],
  [
    'leakyrelu',
    {
      apply: (call, value, alpha) => call.op('LeakyRelu', [value], { alpha: float(alpha) }),
      alpha: 0.01,
    },
  ],
  [
    'elu',
    { apply: (call, value, alpha) => call.op('Elu', [value], { alpha: float(alpha) }), alpha: 1 },
  ],
  [
    'thresholdedrelu',
    {
      apply: (call, value, alpha) => {
        const above = call.op('Greater', [value, call.number(alpha)]);
        return call.op('Where', [above, value, call.number(0)]);
      },
      alpha: 1,
    },
  ],
  [
    'hardsigmoid',
    {
      apply: (call, value, alpha, beta) =>
        call.op('HardSigmoid', [value], { alpha: float(alpha), beta: float(beta) }),
      alpha: 0.2,
      beta: 0.5,
    },
  ],
  [
    'scaledtanh',
    {
      apply: (call, value, alpha, beta) =>
        call.scale(call.op('Tanh', [call.scale(value, beta)]), alpha),
      alpha: 1,
      beta: 1,
    },
  ],
  [
    'affine',
    {
      apply: (call, value, alpha, beta) => call.add(call.scale(value, alpha), call.number(beta)),
      alpha: 1,
      beta: 0,
    },
  ],
]);

const DEFAULTS: ReadonlyMap<string, readonly string[]> = new Map([
  ['RNN', ['Tanh']],
  ['GRU', ['Sigmoid', 'Tanh']],
  ['LSTM', ['Sigmoid', 'Tanh', 'Tanh']],
]);

const floats = ({ attributes }: Node, name: string): readonly number[] => {
  const found = attributes.get(name);
  return found?.kind === 'floats' ? found.value : [];
};

/**
 * Activations of one of the directions of a recurrent operator. Settings are listed for those
 * activations alone that take them, over all directions.
 */
export function activationsOf(
  call: FunctionCall,
  direction: number,
  directions: number,
): readonly Activation[] {
  const each = DEFAULTS.get(call.node.op) ?? [];
  const listed = call.node.attributes.get('activations');
  const all = Array.from({ length: directions }, () => each).flat();
  const names = listed?.kind === 'strings' ? listed.value : all;
  if (names.length !== all.length) {
    call.fail(`${names.length} activations for ${directions} directions`);
  }
  const [alphas, betas] = [
    [...floats(call.node, 'activation_alpha')],
    [...floats(call.node, 'activation_beta')],
  ];
  const made = names.map((name): Activation => {
    const kind = KINDS.get(name.toLowerCase()) ?? call.refuse(`activation "${name}"`);
    const alpha = kind.alpha === undefined ? 0 : (alphas.shift() ?? kind.alpha);
    const beta = kind.beta === undefined ? 0 : (betas.shift() ?? kind.beta);
    return (value) => kind.apply(call, value, alpha, beta);
  });
  return made.slice(direction * each.length, (direction + 1) * each.length);
}
