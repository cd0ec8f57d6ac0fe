import {
  type Attribute,
  float,
  type Graph,
  GraphBuilder,
  int64s,
  scalar,
  type Tensor,
  tensorOf,
} from '@starling/onnx';
import { describe, expect, test } from 'vitest';
import { adjustedGradients } from '../../packages/autodiff/src/gradient-terms.ts';
import { Ops } from '../../packages/autodiff/src/ops.ts';
import { biasCorrections, optimizerRule } from '../../packages/autodiff/src/optimizer-rules.ts';
import {
  type OptimizerSettings,
  optimizerSettings,
} from '../../packages/autodiff/src/optimizers.ts';
import { drawn, node, run } from '../helpers/small-graphs.ts';
import { ms } from './oracle-case.ts';
import { inputsFor, runWeb } from './web-runtime.ts';

const SHAPE = [3, 4];
const STEPS = 4;
const RATE = 0.05;
const TOLERANCE = 1e-6;

const weight = drawn(SHAPE, 1);
const gradients = Array.from({ length: STEPS }, (_, i) => drawn(SHAPE, 10 + i));
const zeros = tensorOf('float32', SHAPE, new Array<number>(12).fill(0));

/** The weight after one step for each gradient, by our rule. */
async function ourWeight(settings: OptimizerSettings): Promise<readonly number[]> {
  const g = new Ops(new GraphBuilder());
  const { states, scalars, update } = optimizerRule(settings);
  let now = {
    weight: g.builder.input('weight', weight),
    states: states.map(() => g.zeros(SHAPE)) as readonly string[],
  };
  const fed: Record<string, Tensor> = { weight };
  for (const [i, gradient] of gradients.entries()) {
    const { root, ratio } = biasCorrections(settings, i + 1);
    const name = g.builder.input(`gradient${i}`, gradient);
    fed[name] = gradient;
    now = update(g, {
      ...{ weight: now.weight, gradient: name, states: now.states },
      scalars: scalars(g, g.number(RATE), { root: g.number(root), ratio: g.number(ratio) }),
    });
  }
  const graph = g.builder.finish('ours', [g.builder.named(now.weight, 'after')]);
  return (await run(graph, fed))('after');
}

interface KernelStep {
  /** Inputs in the kernel's order. */
  readonly takes: readonly string[];
  /** Outputs in its order: lists, but for the flag. */
  readonly makes: readonly string[];
  /** Inputs that the kernel wants as lists, here of one tensor. */
  readonly lists: Readonly<Record<string, Tensor>>;
  readonly single?: Readonly<Record<string, Tensor>>;
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

/** What a kernel that works on lists of tensors makes, by the names in `makes`. */
async function kernelStep(
  kernel: string,
  { takes, makes, lists, single, attributes }: KernelStep,
): Promise<ReadonlyMap<string, Tensor>> {
  const fed = new Map(Object.entries({ ...lists, ...single }));
  const isList = (name: string) => Object.hasOwn(lists, name);
  const wanted = makes.filter(isList);
  const graph: Graph = {
    name: kernel,
    nodes: [
      ...Object.keys(lists).map((name) => node('SequenceConstruct', [name], [`list/${name}`])),
      node(
        ms(kernel),
        takes.map((name) => (isList(name) ? `list/${name}` : name)),
        makes.map((name) => `made/${name}`),
        attributes,
      ),
      ...wanted.map((name) => node('SequenceAt', [`made/${name}`, 'first'], [`after/${name}`])),
    ],
    initializers: new Map([['first', scalar(0, 'int64')]]),
    inputs: inputsFor(fed),
    outputs: wanted.map((name) => ({ name: `after/${name}`, dtype: 'float32', shape: SHAPE })),
  };
  const results = await runWeb(graph, fed);
  return new Map(
    wanted.map((name) => {
      return [name, tensorOf('float32', SHAPE, results.get(`after/${name}`)!)] as const;
    }),
  );
}

const worst = (ours: readonly number[], theirs: Tensor): number =>
  ours.reduce((most, value, i) => Math.max(most, Math.abs(value - Number(theirs.data[i]!))), 0);

describe("ONNX Runtime's training kernels agree", () => {
  test('AdamWOptimizer: four steps with decoupled weight decay', async () => {
    let state: ReadonlyMap<string, Tensor> = new Map([
      ['weight', weight],
      ['mean', zeros],
      ['square', zeros],
    ]);
    for (const [i, gradient] of gradients.entries()) {
      state = await kernelStep('AdamWOptimizer', {
        takes: ['rate', 'step', 'weight', 'gradient', 'mean', 'square'],
        makes: ['flag', 'weight', 'mean', 'square'],
        lists: {
          ...{ weight: state.get('weight')!, gradient },
          ...{ mean: state.get('mean')!, square: state.get('square')! },
        },
        single: { rate: scalar(RATE), step: int64s([i + 1]) },
      });
    }
    const ours = await ourWeight(optimizerSettings('adamw'));
    expect(worst(ours, state.get('weight')!)).toBeLessThan(TOLERANCE);
    expect(worst(ours, weight)).toBeGreaterThan(0.05);
  });

  test('SGDOptimizerV2: four steps', async () => {
    let now = weight;
    for (const gradient of gradients) {
      const made = await kernelStep('SGDOptimizerV2', {
        ...{ takes: ['rate', 'weight', 'gradient'], makes: ['flag', 'weight'] },
        ...{ lists: { weight: now, gradient }, single: { rate: scalar(RATE) } },
      });
      now = made.get('weight')!;
    }
    const ours = await ourWeight(optimizerSettings('sgd'));
    expect(worst(ours, now)).toBeLessThan(TOLERANCE);
  });

  test.each([0.3, 100])('InplaceClipGradNorm: norm at most %f', async (norm) => {
    const gradient = gradients[0]!;
    const made = await kernelStep('InplaceClipGradNorm', {
      ...{ takes: ['gradient'], makes: ['gradient'], lists: { gradient } },
      attributes: { max_norm: float(norm) },
    });
    const g = new Ops(new GraphBuilder());
    const name = g.builder.input('gradient', gradient);
    const terms = { clipping: { norm, value: 0 }, proximal: undefined, control: undefined };
    const [clipped] = adjustedGradients(g, [name], [], terms);
    const graph = g.builder.finish('ours', [g.builder.named(clipped!, 'clipped')]);
    const ours = (await run(graph, { gradient }))('clipped');
    expect(worst(ours, made.get('gradient')!)).toBeLessThan(TOLERANCE);
  });
});
