import { type Graph, GraphBuilder, replayGraph, type Tensor, tensorOf } from '@starling/onnx';
import type { Tensor as RuntimeTensor } from 'onnxruntime-node';
import { backward } from '../../packages/autodiff/src/backward.ts';
import { dropoutMasks, dropoutWords } from '../../packages/autodiff/src/dropout.ts';
import { Ops } from '../../packages/autodiff/src/ops.ts';
import { rewriting } from '../../packages/autodiff/src/rules-training.ts';
import { createGenerator } from '../../packages/autodiff/src/seeded.ts';
import { calledAlone, drawFeeds } from '../helpers/gradient-check.ts';
import { openGraph, runtimeFeeds } from '../helpers/run-graph.ts';
import { node } from '../helpers/small-graphs.ts';
import type { OracleCase } from './oracle-case.ts';
import { inputsFor, runWeb } from './web-runtime.ts';

/** Largest difference of each gradient, relative to the largest element of the kernel's. */
export async function differences(kase: OracleCase, seed: number): Promise<readonly number[]> {
  const { tensors } = drawFeeds(kase, seed);
  const ours = await ourGradients(kase, tensors, seed);
  const theirs = await kernelGradients(kase, new Map([...tensors, ...ours.given]));
  return kase.compared.map((i) => {
    const [a, b] = [ours.gradients.get(i)!, theirs.get(i)!];
    const scale = b.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
    if (a.length !== b.length || b.length === 0) return Number.POSITIVE_INFINITY;
    return Math.max(...b.map((value, j) => Math.abs(a[j]! - value))) / scale;
  });
}

const drawnGradient = (shape: readonly number[], seed: number): Tensor => {
  const generator = createGenerator(100 + seed);
  const count = shape.reduce((product, dim) => product * dim, 1);
  return tensorOf(
    'float32',
    shape,
    Array.from({ length: count }, () => generator.uniform() * 2 - 1),
  );
};

/** Our gradients, and what they were computed with: dy, and the mask where there is one. */
async function ourGradients(kase: OracleCase, tensors: ReadonlyMap<string, Tensor>, seed: number) {
  const graph = calledAlone(kase, 'float32');
  const g = new Ops(new GraphBuilder());
  const { builder } = g;
  const bindings = new Map(
    Array.from(tensors, ([name, { dtype, shape }]) => {
      return [name, builder.input(name, { dtype, shape })] as const;
    }),
  );
  const words = tensorOf('int32', [2], dropoutWords(1, 1, createGenerator(seed)));
  const dropout = dropoutMasks(g, builder.constant(words));
  const { rewrite, ownRules } = rewriting(g, { dropout });
  const [y, mask] = replayGraph(graph, { builder, bindings, rewrite });
  const dy = drawnGradient(builder.shape(y!), seed);
  const nodes = [...builder.nodes];
  const wanted = kase.compared.map((i) => `x${i}`);
  const found = backward({ g, nodes, output: y!, seed: builder.constant(dy), wanted, ownRules });
  const outputs = wanted.map((name) => builder.named(found.get(name)!, `d/${name}`));
  if (kase.op === 'Dropout') outputs.push(builder.named(mask!, 'mask'));
  const made = builder.finish('ours', outputs);
  const session = await openGraph(made);
  const results = await session.run(runtimeFeeds(made, tensors));
  await session.release();
  const given = new Map([['dy', dy]]);
  const { mask: kept } = results;
  if (kept !== undefined) given.set('mask', tensorOf('bool', kept.dims, numbers(kept)));
  const gradients = new Map(kase.compared.map((i) => [i, numbers(results[`d/x${i}`]!)] as const));
  return { gradients, given };
}

const numbers = ({ data }: Pick<RuntimeTensor, 'data'>): number[] => Array.from(data, Number);

/** The kernel's gradients, by the position of the input. */
async function kernelGradients(kase: OracleCase, tensors: ReadonlyMap<string, Tensor>) {
  const { initializers } = calledAlone(kase, 'float32');
  const constants = Object.entries(kase.constants ?? {});
  const nodes = kase.nodes(node);
  const used = new Set(nodes.flatMap(({ inputs }) => inputs));
  const fed = new Map([...tensors].filter(([name]) => used.has(name)));
  const graph: Graph = {
    name: kase.kernel,
    nodes,
    initializers: new Map([...initializers, ...constants].filter(([name]) => used.has(name))),
    inputs: inputsFor(fed),
    outputs: kase.compared.map((i) => {
      return { name: `d${i}`, dtype: 'float32', shape: tensors.get(`x${i}`)!.shape };
    }),
  };
  const results = await runWeb(graph, fed);
  return new Map(kase.compared.map((i) => [i, results.get(`d${i}`)!] as const));
}
