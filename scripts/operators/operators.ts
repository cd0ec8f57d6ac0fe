import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { KNOWN_OPERATORS, readModel } from '@starling/onnx';
import { differentiableInputs, GRADIENT_RULES } from '../../packages/autodiff/src/rules.ts';
import { FUNCTIONS } from '../../packages/onnx/src/functions.ts';
import { refusalOf } from '../../packages/onnx/src/refusals.ts';
import { CONTROL_OPERATORS } from '../../packages/onnx/src/replay-control.ts';
import { SEQUENCE_OPERATORS } from '../../packages/onnx/src/replay-sequence.ts';
import { fileOf, graphOf, node } from '../../packages/onnx/src/testing/files.ts';
import { ORACLE_CASES } from '../../test/autodiff/oracle-cases.ts';
import type { SweepSummary } from '../../test/autodiff/sweep.ts';
import { type Checks, listChecks, none } from './checks.ts';
import { exportedModels } from './exported.ts';
import { FIRST_OPERATOR_SET, REPLACED } from './operator-sets.ts';
import { refusals } from './refused-calls.ts';

/** How gradients come past an operator. */
export const WAYS = ['rule', 'as others', 'mask', 'written out', 'none'] as const;
export type Way = (typeof WAYS)[number];

export interface Operator {
  readonly name: string;
  readonly way: Way;
  /** Positions of inputs that get a gradient; undefined when all or when the node decides. */
  readonly inputs: readonly number[] | undefined;
  /** Operator sets of files in which it is read. */
  readonly opsets: string;
  readonly checks: Checks;
  /** Forms that are refused, in our own words. */
  readonly refused: readonly string[];
  /** Models of ONNX's test data whose gradients are compared. */
  readonly sweep: number;
  /** Kernels of ONNX Runtime that are compared with. */
  readonly kernels: readonly string[];
  readonly exported: number;
}

export interface Coverage {
  readonly operators: readonly Operator[];
  /** Standard operators that are not supported, with the reason. */
  readonly unsupported: readonly { readonly name: string; readonly reason: string }[];
  readonly opsets: { readonly least: number; readonly most: number };
  readonly sweep: SweepSummary;
  readonly oracle: { readonly cases: number; readonly kernels: number };
  readonly exportedModels: number;
}

/** Operators of ours, which no file holds. */
const INTERNAL = /^starling\./;

/** All that code, tests and records say about operators. */
export function coverage(root: string): Coverage {
  const sweep: SweepSummary = JSON.parse(
    readFileSync(join(root, 'docs/autodiff/sweep.json'), 'utf8'),
  );
  const opsets = readableOpsets();
  const checks = listChecks(root);
  const refused = refusals();
  const { models, counts } = exportedModels(root);
  const names = [...KNOWN_OPERATORS, ...REPLACED.keys()].filter((name) => !INTERNAL.test(name));
  const operators = names.sort(byDomain).map((name): Operator => {
    const other = REPLACED.get(name)?.by ?? name;
    const kernels = ORACLE_CASES.filter(({ op }) => op === name).map(({ kernel }) => kernel);
    return {
      ...{
        name,
        way: wayOf(other),
        inputs: GRADIENT_RULES.has(other) ? inputsOf(other) : undefined,
      },
      opsets: opsetsOf(name, opsets),
      checks: checks.get(name) ?? none(),
      refused: refused.get(name) ?? [],
      sweep: sweep.operators[name] ?? 0,
      kernels: [...new Set(kernels)],
      exported: counts.get(name) ?? 0,
    };
  });
  const known = new Set(names);
  const unsupported = [...FIRST_OPERATOR_SET.keys()].filter((name) => !known.has(name)).sort();
  return {
    ...{ operators, opsets, sweep, exportedModels: models },
    unsupported: unsupported.map((name) => ({ name, reason: refusalOf(name) })),
    oracle: {
      cases: ORACLE_CASES.length,
      kernels: new Set(ORACLE_CASES.map(({ kernel }) => kernel)).size,
    },
  };
}

/** Standard operators first. */
const byDomain = (a: string, b: string): number =>
  Number(a.includes('.')) - Number(b.includes('.')) || (a < b ? -1 : 1);

function wayOf(op: string): Way {
  if (op === 'Dropout') return 'mask';
  if (CONTROL_OPERATORS.has(op) || SEQUENCE_OPERATORS.has(op)) return 'written out';
  if (GRADIENT_RULES.has(op)) return 'rule';
  const inputs = ['a', 'b', 'c', 'd'];
  if (differentiableInputs(node(op, inputs, ['y'])).length === 0) return 'none';
  if (FUNCTIONS.has(op)) return 'as others';
  throw new Error(`${op} is known and has no gradient, nor is it one that has none`);
}

/** Positions that a rule lists for every node. */
function inputsOf(op: string): readonly number[] | undefined {
  const { inputs } = GRADIENT_RULES.get(op)!;
  return typeof inputs === 'function' ? undefined : inputs;
}

function opsetsOf(name: string, { least, most }: Coverage['opsets']): string {
  const first = FIRST_OPERATOR_SET.get(name);
  if (first === undefined) return name.includes('.') ? '1' : "ONNX Runtime's";
  const last = (REPLACED.get(name)?.opset ?? most + 1) - 1;
  if (first > last) return `${first}, not read`;
  return first === last ? String(first) : `${Math.max(first, least)}–${last}`;
}

/** The operator sets whose files are read: found by trying. */
function readableOpsets(): Coverage['opsets'] {
  const file = graphOf([node('Relu', ['x'], ['y'])], { inputs: { x: [1] }, outputs: ['y'] });
  const read = Array.from({ length: 40 }, (_, i) => i + 1).filter((opset) => {
    try {
      readModel(fileOf(file, { opset }));
      return true;
    } catch {
      return false;
    }
  });
  return { least: read[0]!, most: read.at(-1)! };
}
