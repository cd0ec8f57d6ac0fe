import { KNOWN_OPERATORS, type Node, scalar, tensorOf } from '@starling/onnx';
import { describe, expect, test } from 'vitest';
import { GRADIENT_RULES, isConstantName, weightInputs } from './rules.ts';

test('every rule belongs to an operator that graphs may hold', () => {
  for (const op of GRADIENT_RULES.keys()) expect(KNOWN_OPERATORS).toContain(op);
});

describe('what is a weight', () => {
  const power: Node = {
    name: 'power',
    op: 'Pow',
    inputs: ['x', 'e'],
    outputs: ['y'],
    attributes: new Map(),
  };

  test('a stored plain exponent is none, a list of exponents is one', () => {
    const list = tensorOf('float32', [1], [3]);
    expect(weightInputs(power, new Map([['e', scalar(2)]]))).toEqual([0]);
    expect(weightInputs(power, new Map([['e', list]]))).toEqual([0, 1]);
    expect(weightInputs(power, new Map())).toEqual([0, 1]);
  });

  test.each<[string, readonly number[], boolean]>([
    ['/norm/Constant_1_output_0', [4], true],
    ['Constant_output_0', [], true],
    ['onnx::Mul_12', [], true],
    ['val_3', [], true],
    ['17', [], true],
    ['17', [4], false],
    ['onnx::MatMul_45', [3, 4], false],
    ['logit_scale', [], false],
    ['layer.Constant.weight', [4], false],
  ])('%s [%s] is a constant: %s', (name, shape, constant) => {
    expect(isConstantName(name, shape)).toBe(constant);
  });
});
