import type { FunctionBody, FunctionCall, FunctionEntry } from './function-call.ts';
import { MODEL_LIMITS } from './limits.ts';
import { float, numberAttribute, textAttribute } from './types.ts';

const attribute = ({ node }: FunctionCall, name: string, fallback: number) =>
  numberAttribute(node, name, fallback);

const sum = (call: FunctionCall) => call.x.reduce((total, term) => call.add(total, term));

/** x·Φ(x) with the normal distribution's Φ, x = `value` (Hendrycks and Gimpel 2016). */
function gelu(call: FunctionCall, value: string): string {
  const erf = call.op('Erf', [call.scale(value, Math.SQRT1_2)]);
  return call.mul(value, call.scale(call.add(erf, call.number(1)), 0.5));
}

/** The same with Φ approximated by a hyperbolic tangent. */
function tanhGelu(call: FunctionCall, value: string): string {
  const cubic = call.mul(call.scale(call.square(value), 0.044715), value);
  const inner = call.scale(call.add(value, cubic), Math.sqrt(2 / Math.PI));
  const tanh = call.op('Tanh', [inner]);
  return call.mul(value, call.scale(call.add(tanh, call.number(1)), 0.5));
}

const swish =
  (fallback: number): FunctionBody =>
  (call) => {
    const inner = call.scale(call.x[0]!, attribute(call, 'alpha', fallback));
    return [call.mul(call.x[0]!, call.op('Sigmoid', [inner]))];
  };

const greater = (call: FunctionCall, a: string, b: string) => call.op('Greater', [a, b]);

/** x − bias above lambd, x + bias below −lambd, 0 between. */
const shrink: FunctionBody = (call) => {
  const [x, lambd] = [call.x[0]!, attribute(call, 'lambd', 0.5)];
  const bias = call.number(attribute(call, 'bias', 0));
  const below = call.op('Where', [
    greater(call, call.number(-lambd), x),
    call.add(x, bias),
    call.number(0),
  ]);
  return [call.op('Where', [greater(call, x, call.number(lambd)), call.sub(x, bias), below])];
};

/** Not in opset 17, or not on GPUs: element by element. */
export const elementwiseFunctions: readonly FunctionEntry[] = [
  ['Sum', (call) => [sum(call)], [1, MODEL_LIMITS.aritiesMax]],
  ['Mean', (call) => [call.scale(sum(call), 1 / call.x.length)], [1, MODEL_LIMITS.aritiesMax]],
  [
    'Sign',
    (call) => {
      const [x, zero] = [call.x[0]!, call.number(0)];
      const negative = call.op('Where', [greater(call, zero, x), call.number(-1), zero]);
      return [call.op('Where', [greater(call, x, zero), call.number(1), negative])];
    },
  ],
  [
    'Selu',
    (call) => {
      const alpha = float(attribute(call, 'alpha', 1.6732632423543772));
      return [
        call.scale(call.op('Elu', call.x, { alpha }), attribute(call, 'gamma', 1.0507009873)),
      ];
    },
  ],
  [
    'Celu',
    (call) => {
      const alpha = attribute(call, 'alpha', 1);
      return [call.scale(call.op('Elu', [call.scale(call.x[0]!, 1 / alpha)]), alpha)];
    },
  ],
  ['Softsign', (call) => [call.div(call.x[0]!, call.add(call.op('Abs', call.x), call.number(1)))]],
  ['Mish', (call) => [call.mul(call.x[0]!, call.op('Tanh', [call.op('Softplus', call.x)]))]],
  [
    'ThresholdedRelu',
    (call) => {
      const above = greater(call, call.x[0]!, call.number(attribute(call, 'alpha', 1)));
      return [call.op('Where', [above, call.x[0]!, call.number(0)])];
    },
  ],
  ['Shrink', shrink],
  ['Swish', swish(1)],
  [
    'Gelu',
    (call) => {
      const approximate = textAttribute(call.node, 'approximate', 'none') === 'tanh';
      return [(approximate ? tanhGelu : gelu)(call, call.x[0]!)];
    },
  ],
  ['com.microsoft.Gelu', (call) => [gelu(call, call.x[0]!)]],
  ['com.microsoft.BiasGelu', (call) => [gelu(call, call.addGiven(call.x[0]!, 1))], [2, 2]],
  ['com.microsoft.FastGelu', (call) => [tanhGelu(call, call.addGiven(call.x[0]!, 1))], [1, 2]],
  ['com.microsoft.QuickGelu', swish(1.702)],
];
