import { elementCount, numberAttribute } from '@starling/onnx';
import { type GradientCall, type Product, type RuleEntry, rule, type Share } from './rule.ts';
import { einsum } from './rules-einsum.ts';

/** Y = alpha·A'·B' + beta·C, with A' and B' transposed or not. */
function gemm({ g, node, x, dy }: GradientCall) {
  const alpha = numberAttribute(node, 'alpha', 1);
  const transA = numberAttribute(node, 'transA', 0) !== 0;
  const transB = numberAttribute(node, 'transB', 0) !== 0;
  const [a, b] = [x[0]!, x[1]!];
  const left = () =>
    transA
      ? g.gemm(b, dy, { transA: transB, transB: true, alpha })
      : g.gemm(dy, b, { transB: !transB, alpha });
  const right = (): Share => {
    if (transA) return transB ? g.gemm(dy, a, { transA, transB, alpha }) : g.gemm(a, dy, { alpha });
    return transB ? product(dy, a, alpha) : product(a, dy, alpha);
  };
  const bias = () => g.scale(dy, numberAttribute(node, 'beta', 1));
  return (x[2] ?? '') === '' ? [left, right] : [left, right, bias];
}

const product = (rows: string, columns: string, alpha: number): Product => ({
  kind: 'product',
  rows,
  columns,
  alpha,
});

/** Vectors become matrices first; batch axes that were broadcast are summed by the walker. */
function matmul({ g, x, dy }: GradientCall) {
  const [shapeA, shapeB] = [g.shape(x[0]!), g.shape(x[1]!)];
  const a = shapeA.length === 1 ? g.reshape(x[0]!, [1, ...shapeA]) : x[0]!;
  const b = shapeB.length === 1 ? g.reshape(x[1]!, [...shapeB, 1]) : x[1]!;
  const rows = g.shape(a).at(-2)!;
  const columns = g.shape(b).at(-1)!;
  const batch = g.shape(dy).slice(0, g.shape(dy).length - vectorless(shapeA, shapeB));
  const grown = g.reshape(dy, [...batch, rows, columns]);
  if (g.shape(b).length > 2) {
    return [
      () => g.reshape(g.sumTo(g.matmul(grown, g.transposeMatrix(b)), g.shape(a)), shapeA),
      () => g.reshape(g.sumTo(g.matmul(g.transposeMatrix(a), grown), g.shape(b)), shapeB),
    ];
  }
  // One product over all batch axes at once, in place of many that would then be summed.
  const flat = (value: string) => {
    const shape = g.shape(value);
    return g.reshape(value, [elementCount(shape.slice(0, -1)), shape.at(-1)!]);
  };
  return [
    () => g.reshape(g.gemm(flat(grown), b, { transB: true }), shapeA),
    () => product(flat(a), flat(grown), 1),
  ];
}

/** How many of the product's last axes are rows and columns, not batch. */
const vectorless = (a: readonly number[], b: readonly number[]) =>
  Number(a.length > 1) + Number(b.length > 1);

export const linearRules: readonly RuleEntry[] = [
  rule('Gemm', gemm),
  rule('MatMul', matmul),
  rule('Einsum', einsum),
];
