import type { FunctionCall, FunctionEntry } from './function-call.ts';
import { type CellOf, type Direction, INPUT, unrolled } from './recurrent-run.ts';
import { int, numberAttribute } from './types.ts';

/** Rows `from` to `to` of all gates' weights or biases, each gate being `hidden` rows. */
const gateRows = ({ call, hidden }: Direction, name: string, from: number, to: number) =>
  call.cut(name, 0, from * hidden, to * hidden);

/** The input's share in gates `from` to `to`, all steps at once: `at` cuts out one step. */
function inputShare(direction: Direction, from: number, to: number, bias: string | undefined) {
  const { call, rows, batch, part } = direction;
  const weight = gateRows(direction, part(INPUT.w)!, from, to);
  const all = product(call, rows, weight, bias);
  return (at: number) => call.cut(all, 0, at * batch, (at + 1) * batch);
}

/** a · weightᵀ, plus a term that may be broadcast. */
const product = (call: FunctionCall, a: string, weight: string, term: string | undefined) =>
  call.op('Gemm', term === undefined ? [a, weight] : [a, weight, term], { transB: int(1) });

/** The state's share and `term`; `term` alone while the state is zero. */
const withState = (call: FunctionCall, h: string | undefined, weight: string, term: string) =>
  h === undefined ? term : product(call, h, weight, term);

/** The two biases of gates `from` to `to`, added up; there are `gates` in all. */
function biasSum(direction: Direction, gates: number, from: number, to: number) {
  const both = direction.part(INPUT.b);
  if (both === undefined) return undefined;
  const input = gateRows(direction, both, from, to);
  return direction.call.add(input, gateRows(direction, both, gates + from, gates + to));
}

/** h' = f(x·Wᵀ + h·Rᵀ + b) (ONNX operator RNN). */
const rnnCell: CellOf = (direction) => {
  const { call, clip, activations } = direction;
  const share = inputShare(direction, 0, 1, biasSum(direction, 1, 0, 1));
  const weight = direction.part(INPUT.r)!;
  return (at, { h }) => ({ h: activations[0]!(clip(withState(call, h, weight, share(at)))) });
};

/** Gates i, o, f and the cell's input, in the order of the operator's weights (ONNX LSTM). */
const lstmCell: CellOf = (direction) => {
  const { call, clip, activations, hidden } = direction;
  const [f, g, h] = [activations[0]!, activations[1]!, activations[2]!];
  const share = inputShare(direction, 0, 4, biasSum(direction, 4, 0, 4));
  const weight = direction.part(INPUT.r)!;
  const coupled = numberAttribute(call.node, 'input_forget', 0) === 1;
  const peepholes = direction.part(INPUT.peepholes);
  const peeps =
    peepholes === undefined ? undefined : call.split(peepholes, 0, [hidden, hidden, hidden]);
  const peep = (gate: number, term: string, c: string | undefined) =>
    peeps === undefined || c === undefined ? term : call.add(term, call.mul(peeps[gate]!, c));
  const sizes = peeps === undefined ? [3 * hidden, hidden] : [hidden, hidden, hidden, hidden];
  return (at, state) => {
    const parts = call.split(withState(call, state.h, weight, share(at)), 1, sizes);
    const input = g(clip(parts.at(-1)!));
    const open = (gate: number, c: string | undefined) => f(clip(peep(gate, parts[gate]!, c)));
    const [i, o, forget] =
      peeps === undefined
        ? call.split(f(clip(parts[0]!)), 1, [hidden, hidden, hidden])
        : [open(0, state.c), undefined, coupled ? undefined : open(2, state.c)];
    const keep = coupled ? call.sub(call.number(1), i!) : forget!;
    const fresh = call.mul(i!, input);
    const c = state.c === undefined ? fresh : call.add(call.mul(keep, state.c), fresh);
    return { h: call.mul(o ?? open(1, c), h(c)), c };
  };
};

/** Gates z and r, then the candidate (ONNX operator GRU), h' = candidate + z·(h − candidate). */
const gruCell: CellOf = (direction) => {
  const { call, clip, activations, hidden } = direction;
  const [f, g] = [activations[0]!, activations[1]!];
  const resetsLater = numberAttribute(call.node, 'linear_before_reset', 0) !== 0;
  const both = direction.part(INPUT.b);
  const own = both === undefined ? undefined : gateRows(direction, both, 2, 3);
  const gates = inputShare(direction, 0, 2, biasSum(direction, 3, 0, 2));
  const candidate = inputShare(direction, 2, 3, resetsLater ? own : biasSum(direction, 3, 2, 3));
  const later = both === undefined ? undefined : gateRows(direction, both, 5, 6);
  const weights = direction.part(INPUT.r)!;
  const [gateWeight, weight] = [
    gateRows(direction, weights, 0, 2),
    gateRows(direction, weights, 2, 3),
  ];
  return (at, { h }) => {
    const opened = f(clip(withState(call, h, gateWeight, gates(at))));
    const [z, r] = call.split(opened, 1, [hidden, hidden]);
    const inner = candidateState({
      call,
      h,
      r: r!,
      weight,
      term: candidate(at),
      later,
      resetsLater,
    });
    const fresh = g(clip(inner));
    return {
      h:
        h === undefined
          ? call.sub(fresh, call.mul(z!, fresh))
          : call.add(fresh, call.mul(z!, call.sub(h, fresh))),
    };
  };
};

interface Candidate {
  readonly call: FunctionCall;
  readonly h: string | undefined;
  readonly r: string;
  readonly weight: string;
  /** The input's share. */
  readonly term: string;
  /** The bias inside the reset gate's brackets. */
  readonly later: string | undefined;
  readonly resetsLater: boolean;
}

function candidateState({ call, h, r, weight, term, later, resetsLater }: Candidate): string {
  if (!resetsLater) return h === undefined ? term : product(call, call.mul(r, h), weight, term);
  const inner = h === undefined ? later : product(call, h, weight, later);
  return inner === undefined ? term : call.add(term, call.mul(r, inner));
}

/** Recurrent operators, one step after the other. */
export const recurrentFunctions: readonly FunctionEntry[] = [
  ['RNN', unrolled(1, rnnCell), [3, 6]],
  ['GRU', unrolled(3, gruCell), [3, 6]],
  ['LSTM', unrolled(4, lstmCell), [3, 8]],
];
