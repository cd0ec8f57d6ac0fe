import { ProtocolError } from '@starling/core';
import { hashHex } from '@starling/crypto';
import { type Verification, verifyModel } from '@starling/models';
import { equalShapes, type Model, numbersOf, printGraph, readModel } from '@starling/onnx';

/** How one weight of the second model differs from that of the first. */
export interface WeightDifference {
  readonly name: string;
  readonly shape: readonly number[];
  readonly elements: number;
  /** L2 norm of the difference. */
  readonly norm: number;
  /** The same over the norm of the first; null where that is 0. */
  readonly relative: number | null;
  readonly greatest: number;
}

/** Where both models come from, as far as their proofs tell. */
export type Relation =
  | { readonly kind: 'unknown'; readonly reason: string }
  | { readonly kind: 'same-round'; readonly job: string; readonly round: number }
  /** One job: rounds of the first and the second, and the last one that both chains have. */
  | {
      readonly kind: 'same-job';
      readonly job: string;
      readonly rounds: readonly [number, number];
      readonly common: number;
    }
  /** The second's job was launched with the very file of the first. */
  | { readonly kind: 'launched-from'; readonly job: string; readonly round: number }
  | { readonly kind: 'other-jobs'; readonly jobs: readonly [string, string] };

export interface ModelComparison {
  readonly identical: boolean;
  readonly graphsEqual: boolean;
  readonly weights: readonly WeightDifference[];
  /** Of weights that both have in the same shape, together. */
  readonly norm: number;
  readonly relative: number | null;
  /** Names that one has alone, or in another shape. */
  readonly onlyFirst: readonly string[];
  readonly onlySecond: readonly string[];
  readonly relation: Relation;
}

export interface ComparedFile {
  readonly model: Uint8Array;
  /** Absent where no proof lies beside the model. */
  readonly proof: Uint8Array | undefined;
}

/** What is different between two models: their graphs, their weights, where they come from. */
export function compareModels(first: ComparedFile, second: ComparedFile): ModelComparison {
  const [a, b] = [readModel(first.model), readModel(second.model)];
  const weights = differencesOf(a, b);
  const compared = new Set(weights.map(({ name }) => name));
  const alone = ({ graph }: Model) =>
    [...graph.initializers.keys()].filter((name) => !compared.has(name));
  const squares = (values: readonly number[]) => values.reduce((sum, x) => sum + x * x, 0);
  const norm = Math.sqrt(squares(weights.map((weight) => weight.norm)));
  const base = Math.sqrt(squares(weights.map(({ name }) => normOf(weightOf(a, name)))));
  return {
    identical: hashHex(first.model) === hashHex(second.model),
    graphsEqual: graphText(a) === graphText(b),
    ...{ weights, norm, relative: base === 0 ? null : norm / base },
    ...{ onlyFirst: alone(a), onlySecond: alone(b) },
    relation: relationOf(first, second),
  };
}

/** Without the weights, whose numbers differ anyway. */
const graphText = ({ graph }: Model): string =>
  printGraph({ ...graph, name: '', initializers: new Map() });

function differencesOf(a: Model, b: Model): readonly WeightDifference[] {
  return [...a.graph.initializers].flatMap(([name, before]) => {
    const after = b.graph.initializers.get(name);
    const isFloat = before.dtype.startsWith('float');
    if (after === undefined || !isFloat || !equalShapes(before.shape, after.shape)) return [];
    const [x, y] = [numbersOf(before), numbersOf(after)];
    const change = Float64Array.from(x, (value, i) => y[i]! - value);
    const [norm, base] = [normOf(change), normOf(x)];
    const greatest = change.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const relative = base === 0 ? null : norm / base;
    return [{ name, shape: before.shape, elements: x.length, norm, relative, greatest }];
  });
}

const weightOf = ({ graph }: Model, name: string): ArrayLike<number> =>
  numbersOf(graph.initializers.get(name)!);

function normOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * values[i]!;
  return Math.sqrt(sum);
}

function relationOf(first: ComparedFile, second: ComparedFile): Relation {
  if (second.proof === undefined) return { kind: 'unknown', reason: 'the second has no proof' };
  const later = sound(second.model, second.proof);
  if (typeof later === 'string') return { kind: 'unknown', reason: `the second: ${later}` };
  // The launched file needs no proof of its own: the manifest has its hash.
  if (later.job.manifest.model === hashHex(first.model)) {
    return { kind: 'launched-from', job: later.job.id, round: later.rounds.length };
  }
  if (first.proof === undefined) return { kind: 'unknown', reason: 'the first has no proof' };
  const before = sound(first.model, first.proof);
  if (typeof before === 'string') return { kind: 'unknown', reason: `the first: ${before}` };
  const jobs = [before.job.id, later.job.id] as const;
  if (jobs[0] !== jobs[1]) return { kind: 'other-jobs', jobs };
  const rounds = [before.rounds.length, later.rounds.length] as const;
  const fork = before.rounds.findIndex((each, i) => each.stateHash !== later.rounds[i]?.stateHash);
  const common = fork === -1 ? rounds[0] : fork;
  if (rounds[0] === rounds[1] && common === rounds[0]) {
    return { kind: 'same-round', job: jobs[0], round: rounds[0] };
  }
  return { kind: 'same-job', job: jobs[0], rounds, common };
}

/** A verification that holds, or why it does not. */
function sound(model: Uint8Array, proof: Uint8Array) {
  try {
    const { ok, fault, job, rounds }: Verification = verifyModel(model, proof);
    return ok && job !== undefined ? { job, rounds } : (fault ?? 'the proof does not hold');
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return error.message;
  }
}
