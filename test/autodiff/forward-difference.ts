import type { Graph, Tensor } from '@starling/onnx';
import { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';
import { openGraph, runtimeFeeds } from '../helpers/run-graph.ts';
import { modelBytes, type RecordedRun } from './test-data.ts';

/** Differences up to this are rounding. */
export const FORWARD_TOLERANCE = 1e-3;

/**
 * How far the outputs of a replayed model are from the recorded ones, relative to the larger of 1
 * and the value; infinite when a shape differs. Where they are too far, ONNX Runtime's outputs for
 * the file itself count, since a few of the recorded ones are wrong.
 */
export async function forwardDifference(
  name: string,
  graph: Graph,
  fed: ReadonlyMap<string, Tensor>,
  { inputs, outputs }: RecordedRun,
): Promise<number> {
  const session = await openGraph(graph);
  const results = await session.run(runtimeFeeds(graph, fed));
  await session.release();
  const ours = graph.outputs.map((output) => results[output.name]!);
  const recorded = outputs.map(({ shape, data }) => ({ dims: shape, data }));
  const difference = farthest(ours, recorded);
  if (difference <= FORWARD_TOLERANCE) return difference;
  return Math.min(difference, farthest(ours, await nativeOutputs(name, inputs)));
}

type Value = Pick<RuntimeTensor, 'dims' | 'data'>;

async function nativeOutputs(name: string, inputs: readonly Tensor[]): Promise<readonly Value[]> {
  const session = await InferenceSession.create(modelBytes(name), { logSeverityLevel: 4 });
  const feeds = session.inputNames.map((input, i) => {
    const { dtype, data, shape } = inputs[i]!;
    return [input, new RuntimeTensor(dtype, data, shape)] as const;
  });
  const results = await session.run(Object.fromEntries(feeds));
  await session.release();
  return session.outputNames.map((output) => results[output]!);
}

function farthest(ours: readonly Value[], theirs: readonly Value[]): number {
  const differences = theirs.map((value, i) => {
    if (`${ours[i]?.dims}` !== `${value.dims}`) return Number.POSITIVE_INFINITY;
    const [a, b] = [ours[i]!, value].map(({ data }) => Array.from(data, Number));
    return b!.reduce((most, expected, j) => {
      const same = Object.is(expected, a![j]) || expected === a![j];
      const error = same ? 0 : Math.abs(a![j]! - expected) / Math.max(1, Math.abs(expected));
      return Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(most, error);
    }, 0);
  });
  return Math.max(0, ...differences);
}
