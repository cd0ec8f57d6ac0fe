import { type Graph, tensorOf } from '@starling/onnx';
import { expect, test } from 'vitest';
import { openGraph } from '../helpers/run-graph.ts';
import { graphOf, node } from '../helpers/small-graphs.ts';
import { type Comparison, compareGradients } from './compare-gradients.ts';

/** Σ w·f(x) with w = 1, and what is passed off as its gradient. */
async function compared(forward: Graph, gradient: Graph, x: readonly number[]) {
  const values = new Map([['x', tensorOf('float32', [x.length], x)]]);
  return compareGradients({
    ...{ forward, gradientGraph: gradient, session: await openGraph(forward) },
    ...{ precision: 'float32', names: new Map([['x', 'd']]), wanted: ['x'], values: [values] },
    weightsOf: (count) => new Array<number>(count).fill(1),
  });
}

const shaped = (graph: Graph, count: number): Graph => ({
  ...graph,
  outputs: graph.outputs.map((output) => ({ ...output, shape: [count] })),
});

const squares = (count: number) =>
  shaped(graphOf([node('Mul', ['x', 'x'], ['y'])], {}, [count], 'y'), count);
/** factor·x; the gradient of the squares when the factor is 2. */
const line = (count: number, factor: number) => {
  const factors = tensorOf('float32', [count], new Array<number>(count).fill(factor));
  return graphOf([node('Mul', ['x', 'f'], ['d'])], { f: factors }, [count], 'd');
};
const points = (count: number) => Array.from({ length: count }, (_, i) => 0.3 + i / count);

test('the right gradient passes', async () => {
  const found: Comparison = await compared(squares(5), line(5, 2), points(5));
  expect(found).toMatchObject({ elements: 5, kinks: 0, undefined: 0, mismatches: [], cut: [] });
  expect(found.worst).toBeLessThan(1e-3);
});

test('a gradient that is off by one part in a hundred does not', async () => {
  const { mismatches } = await compared(squares(5), line(5, 2.02), points(5));
  expect(mismatches.length).toBeGreaterThan(0);
});

test('one wrong element among many does not, where only their sum is looked at', async () => {
  const count = 400;
  const wrong = tensorOf(
    'float32',
    [count],
    [...new Array<number>(count - 8).fill(2), 5, 5, 5, 5, 5, 5, 5, 5],
  );
  const gradient = graphOf([node('Mul', ['x', 'f'], ['d'])], { f: wrong }, [count], 'd');
  const { elements, mismatches } = await compared(squares(count), gradient, points(count));
  expect(elements).toBeLessThan(count);
  expect(mismatches.length).toBeGreaterThan(0);
});

test('an element on a kink is counted and not compared', async () => {
  const forward = shaped(graphOf([node('Abs', ['x'], ['y'])], {}, [2], 'y'), 2);
  const ones = tensorOf('float32', [2], [1, 1]);
  const gradient = graphOf([node('Mul', ['f', 'f'], ['d'])], { f: ones }, [2], 'd');
  const found = await compared(forward, gradient, [0, 1]);
  expect(found).toMatchObject({ elements: 2, kinks: 1, mismatches: [] });
});
