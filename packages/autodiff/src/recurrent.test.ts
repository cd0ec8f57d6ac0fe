import { type Attribute, float, int, tensorOf, text } from '@starling/onnx';
import { checkForward } from '../../../test/helpers/forward-check.ts';
import { type Case, checkGradients } from '../../../test/helpers/gradient-check.ts';

const GATES = { RNN: 1, GRU: 3, LSTM: 4 } as const;

interface Recurrent {
  readonly op: keyof typeof GATES;
  /** Steps, batch, features and hidden size; 3, 2, 2 and 2 when absent. */
  readonly sizes?: readonly [number, number, number, number];
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly bias?: boolean;
  readonly lengths?: readonly number[];
  readonly states?: boolean;
  readonly peepholes?: boolean;
  readonly outputs?: number;
}

/** The call with small weights, so that no gate saturates. */
function recurrent(call: Recurrent): Case {
  const { op, sizes = [3, 2, 2, 2], attributes = {}, lengths } = call;
  const [steps, batch, features, hidden] = sizes;
  const direction = attributes['direction'];
  const count = direction?.kind === 'string' && direction.value === 'bidirectional' ? 2 : 1;
  const drawn = (...shape: number[]) => ({ shape, low: -1, high: 1, kinks: [] });
  const state = call.states ? drawn(count, batch, hidden) : undefined;
  const inputs = [
    drawn(steps, batch, features),
    drawn(count, GATES[op] * hidden, features),
    drawn(count, GATES[op] * hidden, hidden),
    call.bias === false ? undefined : drawn(count, 2 * GATES[op] * hidden),
    lengths && { fed: tensorOf('int32', [batch], lengths) },
    state,
    ...(op === 'LSTM' ? [state, call.peepholes ? drawn(count, 3 * hidden) : undefined] : []),
  ];
  const outputs = call.outputs ?? (op === 'LSTM' ? 3 : 2);
  return { op, inputs, outputs, attributes: { hidden_size: int(hidden), ...attributes } };
}

const direction = (name: string) => ({ direction: text(name) });
const activations = (...value: string[]): Attribute => ({ kind: 'strings', value });
const floats = (...value: number[]): Attribute => ({ kind: 'floats', value });

const common = (['RNN', 'GRU', 'LSTM'] as const).flatMap((op): Recurrent[] => [
  { op },
  { op, bias: false, states: true },
  { op, attributes: direction('reverse'), states: true, outputs: 1 },
  { op, attributes: direction('bidirectional'), states: true },
  { op, lengths: [1, 3], states: true },
  { op, lengths: [2, 1], attributes: direction('bidirectional') },
  { op, sizes: [1, 1, 1, 1], states: true },
  { op, sizes: [2, 1, 3, 2] },
]);
const reset = { linear_before_reset: int(1) };
const particular: readonly Recurrent[] = [
  { op: 'GRU', attributes: reset },
  { op: 'GRU', attributes: reset, bias: false },
  { op: 'GRU', attributes: { ...reset, ...direction('bidirectional') }, states: true },
  { op: 'LSTM', peepholes: true },
  { op: 'LSTM', peepholes: true, states: true, attributes: direction('bidirectional') },
  { op: 'LSTM', attributes: { input_forget: int(1) }, states: true },
  { op: 'LSTM', attributes: { activations: activations('Relu', 'tanh', 'Softsign') } },
  {
    op: 'LSTM',
    attributes: {
      activations: activations('HardSigmoid', 'ScaledTanh', 'Affine'),
      activation_alpha: floats(0.1, 1.2, 0.7),
      activation_beta: floats(0.4, 0.8, 0.1),
    },
  },
  {
    op: 'RNN',
    attributes: { activations: activations('LeakyRelu'), activation_alpha: floats(0.2) },
  },
  { op: 'RNN', attributes: { clip: float(0.4) } },
  { op: 'LSTM', attributes: { clip: float(0.3) }, states: true },
  {
    op: 'RNN',
    attributes: { ...direction('bidirectional'), activations: activations('Softplus', 'Elu') },
  },
];
const calls = [...common, ...particular].map(recurrent);
/** The runtime has no kernel for it. */
const batchFirst: Case = {
  op: 'LSTM',
  inputs: [[2, 3, 2], [1, 8, 2], [1, 8, 2], [1, 16], undefined, [2, 1, 2], [2, 1, 2]],
  attributes: { hidden_size: int(2), layout: int(1) },
  outputs: 3,
};

checkForward(calls);
checkGradients([...calls, batchFirst]);
