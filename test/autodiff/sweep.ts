import { ProtocolError } from '@starling/core';
import type { GraphProto } from 'onnx-buf';
import { decodeModel } from '../../packages/onnx/src/read.ts';
import { type FileNode, nodesOf } from './file-nodes.ts';
import { FORWARD_TOLERANCE } from './forward-difference.ts';
import { ONNX_RUNTIME_STANDARD } from './onnxruntime-gradients.ts';
import { type Outcome, sweepModel } from './sweep-model.ts';
import { modelBytes, modelNames } from './test-data.ts';

type Counts = Record<string, number>;

/** How the models of ONNX's test data fared; a function of the code and the data. */
export interface SweepSummary {
  readonly models: number;
  readonly outcomes: Readonly<Counts>;
  /** Per folder of the data. */
  readonly compared: Readonly<Counts>;
  /** Models of operators that ONNX Runtime's gradient builder knew, with a float input. */
  readonly ofOnnxRuntimesList: Readonly<{ models: number; compared: number }>;
  /** Elements of gradients that were compared with differences. */
  readonly elements: number;
  /** Compared models whose forward pass ran in double precision. */
  readonly doublePrecision: number;
  /** By reason, in the words of the refusal without names of nodes and values. */
  readonly refused: Readonly<Counts>;
  readonly noGradient: Readonly<Counts>;
  /** Inputs that change the outputs and are no weights: by operator and position. */
  readonly cut: Readonly<Counts>;
  /** Compared models by the operators that they hold. */
  readonly operators: Readonly<Counts>;
}

export interface Sweep {
  readonly summary: SweepSummary;
  /** `model: what is wrong`. */
  readonly faults: readonly string[];
  /** Models whose outputs differ from the recorded ones and from ONNX Runtime's. */
  readonly forwardDiffers: readonly string[];
  /** Largest difference to the numeric gradient, relative to the largest in the tensor. */
  readonly worst: number;
}

/** Every model of the package. */
export async function sweep(): Promise<Sweep> {
  const tally = new Tally();
  for (const name of modelNames()) tally.add(name, await sweepModel(name));
  return tally.finish();
}

class Tally {
  readonly #counts = new Map<string, Map<string, number>>();
  readonly #faults: string[] = [];
  readonly #forwardDiffers: string[] = [];
  readonly #listed = { models: 0, compared: 0 };
  #models = 0;
  #elements = 0;
  #worst = 0;

  add(name: string, outcome: Outcome): void {
    const { kind } = outcome;
    this.#models++;
    this.#count('outcomes', kind);
    const graph = decodedGraph(name);
    const nodes = graph === undefined ? [] : nodesOf(graph);
    const listed = nodes.length > 0 && nodes.every(({ op }) => LISTED.has(op));
    if (listed && hasFloatInput(graph)) this.#listed.models++;
    switch (kind) {
      case 'refused':
      case 'unreadable':
        this.#count(kind, reasonIn(outcome.reason));
        return;
      case 'no-gradient':
        this.#count(kind, outcome.reason);
        break;
      case 'compared':
        if (listed && hasFloatInput(graph)) this.#listed.compared++;
        this.#addCompared(name, outcome, nodes);
    }
    if (outcome.forward > FORWARD_TOLERANCE) this.#forwardDiffers.push(name);
  }

  #addCompared(name: string, outcome: Outcome & { kind: 'compared' }, nodes: readonly FileNode[]) {
    const { elements, kinks, undefined: nowhere, mismatches, cut } = outcome;
    this.#elements += elements;
    this.#worst = Math.max(this.#worst, outcome.worst);
    this.#count('compared', name.split('/')[0]!);
    this.#count('precision', outcome.precision);
    for (const op of new Set(nodes.map((node) => node.op))) this.#count('operators', op);
    for (const input of cut) {
      const user = nodes.find(({ inputs }) => inputs.includes(input));
      this.#count('cut', `${user?.op} input ${user?.inputs.indexOf(input)}`);
    }
    for (const mismatch of mismatches) this.#faults.push(`${name}: gradient of ${mismatch}`);
    if (elements === kinks + nowhere) this.#faults.push(`${name}: nothing could be compared`);
  }

  #count(table: string, key: string): void {
    const counts = this.#counts.get(table) ?? new Map<string, number>();
    counts.set(key, (counts.get(key) ?? 0) + 1);
    this.#counts.set(table, counts);
  }

  finish(): Sweep {
    const table = (name: string): Counts => {
      const counts = [...(this.#counts.get(name) ?? [])];
      return Object.fromEntries(counts.sort(([a], [b]) => (a < b ? -1 : 1)));
    };
    const summary: SweepSummary = {
      models: this.#models,
      outcomes: table('outcomes'),
      compared: table('compared'),
      ofOnnxRuntimesList: this.#listed,
      elements: this.#elements,
      doublePrecision: table('precision')['float64'] ?? 0,
      refused: { ...table('refused'), ...table('unreadable') },
      noGradient: table('no-gradient'),
      cut: table('cut'),
      operators: table('operators'),
    };
    return {
      summary,
      faults: this.#faults,
      forwardDiffers: this.#forwardDiffers,
      worst: this.#worst,
    };
  }
}

function decodedGraph(name: string): GraphProto | undefined {
  try {
    return decodeModel(modelBytes(name)).graph;
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

const LISTED: ReadonlySet<string> = new Set([
  ...ONNX_RUNTIME_STANDARD,
  // Plumbing between them.
  ...['BatchNormalization', 'Constant', 'ConstantOfShape', 'Shape'],
]);

/** TensorProto.DataType of float, half and double. */
const FLOATS: ReadonlySet<number> = new Set([1, 10, 11]);

const hasFloatInput = (graph: GraphProto | undefined): boolean =>
  graph?.input.some(({ type }) => {
    return type?.value.case === 'tensorType' && FLOATS.has(type.value.value.elemType);
  }) === true;

/** A refusal without what is particular to one file. */
const reasonIn = (message: string): string =>
  message
    .replace(/^node "[^"]*" \((\S+)\): /, '$1: ')
    .replace(/^node "[^"]*": operator (\S+) (is refused: )?/, '$1: ')
    .replace(/^value "[^"]*"( is)?:? /, 'a value: ')
    .replace(/^\/\S+: /, 'a recorded value: ');
