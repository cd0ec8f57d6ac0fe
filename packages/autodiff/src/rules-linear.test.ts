import { float, int, text } from '@starling/onnx';
import { type Case, checkGradients } from '../../../test/helpers/gradient-check.ts';
import { linearRules } from './rules-linear.ts';

const gemms = [0, 1].flatMap((transA) =>
  [0, 1].map(
    (transB): Case => ({
      op: 'Gemm',
      inputs: [transA ? [3, 2] : [2, 3], transB ? [4, 3] : [3, 4], transA ? [4] : [2, 1]],
      attributes: { transA: int(transA), transB: int(transB), alpha: float(0.5), beta: float(1.5) },
    }),
  ),
);
/** Shapes of two operands. */
const pairs: readonly (readonly [number[], number[]])[] = [
  [
    [2, 3],
    [3, 4],
  ],
  [[3], [3, 2]],
  [[2, 3], [3]],
  [[3], [3]],
  [
    [2, 2, 3],
    [3, 2],
  ],
  [[2, 2, 3], [3]],
  [[3], [2, 3, 2]],
  [
    [2, 2, 3],
    [2, 3, 1],
  ],
  [
    [2, 1, 2, 3],
    [3, 3, 2],
  ],
  [
    [2, 3],
    [4, 3, 2],
  ],
  [
    [1, 1],
    [1, 1],
  ],
  [
    [0, 3],
    [3, 2],
  ],
  [
    [2, 0],
    [0, 2],
  ],
  [
    [2, 0, 3],
    [3, 1],
  ],
];
const einsum = (equation: string, ...inputs: number[][]): Case => ({
  op: 'Einsum',
  inputs,
  attributes: { equation: text(equation) },
});

checkGradients(
  [
    ...gemms,
    {
      op: 'Gemm',
      inputs: [
        [2, 3],
        [3, 2],
      ],
    },
    { op: 'Gemm', inputs: [[2, 3], [3, 2], []] },
    {
      op: 'Gemm',
      inputs: [
        [1, 1],
        [1, 2],
        [1, 1],
      ],
    },
    { op: 'Gemm', inputs: [[0, 3], [3, 2], [2]] },
    ...pairs.map((inputs): Case => ({ op: 'MatMul', inputs })),
    einsum('ij,jk->ik', [2, 3], [3, 4]),
    einsum('ij,jk', [2, 3], [3, 2]),
    einsum('bhid, bhjd -> bhij', [2, 1, 2, 3], [2, 1, 4, 3]),
    einsum('i,j->ij', [2], [3]),
    einsum('i,i->', [3], [3]),
    einsum('ij->', [2, 3]),
    einsum('ij->ji', [2, 3]),
    einsum('ijk->j', [2, 3, 2]),
    einsum('ij,kj->i', [2, 3], [4, 3]),
    einsum('...ij,...jk->...ik', [2, 1, 2, 3], [3, 3, 2]),
    einsum('...i->...', [2, 3]),
    einsum('b...,b...->b', [2, 3, 2], [2, 3, 2]),
    einsum('bi,ij,bj->b', [2, 3], [3, 2], [2, 2]),
    einsum('ba,b->a', [2, 3], [2]),
    einsum('Bc,cA', [2, 3], [3, 2]),
    einsum('ij,ij->ij', [1, 3], [2, 3]),
    einsum('ij,jk->ik', [0, 3], [3, 2]),
  ],
  linearRules,
);
