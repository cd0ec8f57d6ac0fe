import { toBinary } from '@bufbuild/protobuf';
import { GraphBuilder, readModel, replayGraph, type Tensor, tensorOf } from '@starling/onnx';
import { AttributeProto_AttributeType, ModelProtoSchema, type NodeProto } from 'onnx-buf';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { backward } from '../../packages/autodiff/src/backward.ts';
import { countValue, lossTerms } from '../../packages/autodiff/src/losses.ts';
import { Ops } from '../../packages/autodiff/src/ops.ts';
import { biasCorrections, optimizerRule } from '../../packages/autodiff/src/optimizer-rules.ts';
import {
  type OptimizerSettings,
  optimizerSettings,
} from '../../packages/autodiff/src/optimizers.ts';
import { decodeModel } from '../../packages/onnx/src/read.ts';
import { isFull } from '../fuzz/size.ts';
import { run } from '../helpers/small-graphs.ts';
import { missingTestData, modelBytes, modelNames, recordedRun } from './test-data.ts';

const TOLERANCE = 1e-5;

const numbers = (tensor: Tensor): number[] => Array.from(tensor.data, Number);

function expectClose(ours: readonly number[], theirs: readonly number[]): void {
  expect(ours.length).toBe(theirs.length);
  for (const [i, value] of theirs.entries()) {
    const error = Math.abs(ours[i]! - value) / Math.max(1, Math.abs(value));
    expect(error, `${ours[i]} for ${value}`).toBeLessThan(TOLERANCE);
  }
}

/** Float attributes of a file's first node, by name. */
function floatsOf({ attribute }: NodeProto): ReadonlyMap<string, number> {
  const floats = attribute.filter(({ type }) => type === AttributeProto_AttributeType.FLOAT);
  return new Map(floats.map(({ name, f }) => [name, f]));
}

const firstNode = (name: string) => decodeModel(modelBytes(name)).graph!.node[0]!;

interface OptimizerCase {
  readonly name: string;
  readonly settings: (floats: ReadonlyMap<string, number>) => OptimizerSettings;
  /** What ours holds of each state for 1 that ONNX's holds. */
  readonly factors: (settings: OptimizerSettings) => readonly number[];
}

/** ONNX's L2 regularisation is PyTorch's weight decay. */
const decay = (floats: ReadonlyMap<string, number>) => floats.get('norm_coefficient') ?? 0;

/**
 * ONNX calls both coefficients by other names, and adds ε to the root before its correction.
 * @param left ε of a file that leaves it out, though its values were made with it
 */
const adam = (name: string, left = 0): OptimizerCase => ({
  name,
  settings: (floats) =>
    optimizerSettings('adam', {
      ...{ beta1: floats.get('alpha')!, beta2: floats.get('beta')! },
      ...{ epsilon: floats.get('epsilon') ?? left, weightDecay: decay(floats) },
    }),
  // Our means lack their factors 1 − β.
  factors: ({ beta1, beta2 }) => [1 / (1 - beta1), 1 / (1 - beta2)],
});
const adagrad = (name: string): OptimizerCase => ({
  name,
  settings: (floats) =>
    optimizerSettings('adagrad', { epsilon: floats.get('epsilon')!, weightDecay: decay(floats) }),
  factors: () => [1],
});
const momentum = (name: string, nesterov = false): OptimizerCase => ({
  name,
  settings: (floats) =>
    optimizerSettings('momentum', {
      ...{ momentum: floats.get('alpha')!, nesterov, weightDecay: decay(floats) },
    }),
  factors: () => [1],
});

const OPTIMIZERS: readonly OptimizerCase[] = [
  adam('test_adam'),
  adam('test_adam_multiple', 0.01),
  adagrad('test_adagrad'),
  adagrad('test_adagrad_multiple'),
  momentum('test_momentum'),
  momentum('test_momentum_multiple'),
  momentum('test_nesterov_momentum', true),
];

/**
 * ONNX's step 0, which all records are of, has no bias correction, no decay of the rate and no
 * dampening; ours comes to that after so many steps that no power of β is left.
 */
const LATE = 1e7;

/** One step of ours from the recorded values: new weight, then states, for each weight. */
async function ourStep({ name, settings: settingsOf, factors }: OptimizerCase) {
  const model = `node/${name}`;
  const settings = settingsOf(floatsOf(firstNode(model)));
  const { inputs } = recordedRun(model);
  const scales = factors(settings);
  const rule = optimizerRule(settings);
  const kinds = 2 + rule.states.length;
  const weights = (inputs.length - 2) / kinds;
  const g = new Ops(new GraphBuilder());
  const rate = g.builder.constant(inputs[0]!);
  const late = biasCorrections(settings, LATE);
  const corrections = { root: g.number(late.root), ratio: g.number(late.ratio) };
  const made = Array.from({ length: weights }, (_, i) => {
    const [weight, gradient, ...states] = Array.from({ length: kinds }, (_, kind) =>
      g.builder.input(`${kind}/${i}`, inputs[2 + kind * weights + i]!),
    );
    const after = rule.update(g, {
      ...{ weight: weight!, gradient: gradient!, scalars: rule.scalars(g, rate, corrections) },
      states: states.map((state, k) => g.scale(state, scales[k]!)),
    });
    return [after.weight, ...after.states.map((state, k) => g.scale(state, 1 / scales[k]!))];
  });
  const names = made.flatMap((values, i) =>
    values.map((value, kind) => g.builder.named(value, `after/${kind}/${i}`)),
  );
  const fed = inputs.slice(2).map((tensor, at) => {
    return [`${Math.floor(at / weights)}/${at % weights}`, tensor] as const;
  });
  const after = await run(g.builder.finish('step', names), Object.fromEntries(fed));
  return { after, kinds: kinds - 1, weights };
}

/** The tests of ONNX's Gradient operator. */
const GRADIENTS = ['simple/test_gradient_of_add', 'simple/test_gradient_of_add_and_mul'];

/** Ours for the file without its Gradient node: the value, then a gradient for each input. */
async function ourGradients(name: string): Promise<readonly (readonly number[])[]> {
  const proto = decodeModel(modelBytes(name));
  const asked = proto.graph!.node.pop()!;
  expect(asked.opType).toBe('Gradient');
  proto.opsetImport = proto.opsetImport.filter(({ domain }) => domain === '');
  proto.graph!.output = proto.graph!.output.slice(0, 1);
  const { graph } = readModel(toBinary(ModelProtoSchema, proto));
  const { inputs } = recordedRun(name);
  const g = new Ops(new GraphBuilder());
  const bindings = new Map(
    graph.inputs.map((input, i) => [input.name, g.builder.input(input.name, inputs[i]!)] as const),
  );
  const [output] = replayGraph(graph, { builder: g.builder, bindings });
  const nodes = [...g.builder.nodes];
  const seed = g.broadcastTo(g.number(1), g.shape(output!));
  const found = backward({ g, nodes, output: output!, seed, wanted: [...bindings.values()] });
  const values = [output!, ...Array.from(bindings.values(), (name) => found.get(name)!)];
  const names = values.map((value, i) => g.builder.named(value, `result/${i}`));
  const fed = graph.inputs.map(({ name }, i) => [name, inputs[i]!] as const);
  const read = await run(g.builder.finish('ours', names), Object.fromEntries(fed));
  return names.map(read);
}

/** Mean or sum of the loss by the loss that training uses, not by the operator. */
async function ourLoss(name: string): Promise<readonly number[]> {
  const { inputs } = recordedRun(name);
  const [scores, labels, weights] = inputs;
  const { attribute } = firstNode(name);
  const ignored = attribute.find((each) => each.name === 'ignore_index');
  const reduction = attribute.find((each) => each.name === 'reduction');
  const g = new Ops(new GraphBuilder());
  const options = {
    ...(ignored && { ignoreIndex: Number(ignored.i) }),
    ...(weights && { classWeights: numbers(weights) }),
  };
  const output = g.builder.input('scores', scores!);
  const target = g.builder.input('labels', { dtype: 'int32', shape: labels!.shape });
  const call = { loss: 'softmax-cross-entropy', options, output, target } as const;
  const { mean, weight } = lossTerms(g, { ...call, examples: scores!.shape[0]! });
  const isSum = reduction !== undefined && new TextDecoder().decode(reduction.s) === 'sum';
  const value = isSum ? g.mul(mean, countValue(g, weight)) : mean;
  const graph = g.builder.finish('loss', [g.builder.named(value, 'loss')]);
  const fed = { scores: scores!, labels: tensorOf('int32', labels!.shape, numbers(labels!)) };
  return (await run(graph, fed))('loss');
}

/** Records of cross-entropy whose first output is one number, not one for each target. */
const lossRecords = () =>
  modelNames().filter((name) => {
    if (!name.startsWith('node/test_sce_') || name.endsWith('_expanded')) return false;
    return recordedRun(name).outputs[0]!.shape.length === 0;
  });

describe.runIf(isFull)('what ONNX has recorded', () => {
  let missing: string | undefined;
  beforeAll(() => {
    missing = missingTestData();
    if (missing !== undefined) console.log(`skipped: ${missing}`);
  });
  beforeEach((context) => {
    if (missing !== undefined) context.skip(missing);
  });

  test.each(OPTIMIZERS.map((each) => [each.name, each] as const))('%s', async (name, each) => {
    const { after, kinds, weights } = await ourStep(each);
    const { outputs } = recordedRun(`node/${name}`);
    expect(outputs.length).toBe(kinds * weights);
    for (const [at, output] of outputs.entries()) {
      const place = `after/${Math.floor(at / weights)}/${at % weights}`;
      expectClose(after(place), numbers(output));
    }
  });

  test.each(GRADIENTS)('%s', async (name) => {
    const ours = await ourGradients(name);
    const { outputs } = recordedRun(name);
    expect(ours.length).toBe(outputs.length);
    for (const [i, output] of outputs.entries()) expectClose(ours[i]!, numbers(output));
  });

  test('the softmax cross-entropy of training', async () => {
    const records = lossRecords();
    for (const name of records) {
      expectClose(await ourLoss(name), numbers(recordedRun(name).outputs[0]!));
    }
    console.log(`${records.length} records of softmax cross-entropy`);
    expect(records.length).toBeGreaterThan(20);
  });
});
