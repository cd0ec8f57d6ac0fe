import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  ONNX_RUNTIME_OTHERS,
  ONNX_RUNTIME_PLUMBING,
  ONNX_RUNTIME_STANDARD,
} from '../test/autodiff/onnxruntime-gradients.ts';
import { coverage } from './operators/operators.ts';
import { operatorsPage } from './operators/page.ts';
import { filesBelow, readSource } from './source-text.ts';

const ROOT = join(import.meta.dirname, '..');
const found = coverage(ROOT);
const byName = new Map(found.operators.map((operator) => [operator.name, operator]));

test('docs/autodiff/operators.md is what `npm run docs:operators` writes', () => {
  const page = readFileSync(join(ROOT, 'docs/autodiff/operators.md'), 'utf8');
  expect(operatorsPage(found)).toBe(page);
});

describe("ONNX Runtime's list of gradients", () => {
  test('is all there: 61 standard operators, 22 others', () => {
    expect(new Set(ONNX_RUNTIME_STANDARD).size).toBe(61);
    expect(ONNX_RUNTIME_OTHERS.size + ONNX_RUNTIME_PLUMBING.length).toBe(22);
  });

  test.each(ONNX_RUNTIME_STANDARD)('%s has a gradient here, which is checked', (name) => {
    const operator = byName.get(name)!;
    expect(operator.way).not.toBe('none');
    const { checks, kernels, sweep } = operator;
    expect(checks.gradients + kernels.length + sweep).toBeGreaterThan(0);
  });

  test.each([...ONNX_RUNTIME_OTHERS])('%s is %s here', (_, ours) => {
    if (ours !== undefined) expect(byName.get(ours)!.way).not.toBe('none');
  });
});

test('every operator that gradients pass is checked somewhere', () => {
  const unchecked = found.operators.filter(({ way, checks, kernels, sweep, exported }) => {
    if (way === 'none') return false;
    return checks.gradients + kernels.length + sweep + exported === 0;
  });
  // Lists of tensors are plumbing: `replay-sequence.test.ts`.
  const names = unchecked.map(({ name }) => name).filter((name) => !name.startsWith('Sequence'));
  expect(names).toEqual([]);
});

test('every refusal of a form is shown', () => {
  const shown = found.operators.flatMap(({ refused }) => refused).join('\n');
  const files = filesBelow(ROOT, '.ts', 'packages/onnx/src').filter((path) => !/test/.test(path));
  const words = files.flatMap((path) =>
    Array.from(
      readSource(ROOT, path).text.matchAll(/\brefuse\((?:call,)?\s*(['`])(.*?)\1,?\s*\)/g),
      // The longest part that is the same whatever the values.
      ([, , message]) =>
        message!.split(/\$\{.*?\}+/).reduce((a, b) => (b.length > a.length ? b : a)),
    ),
  );
  expect(words.length).toBeGreaterThan(20);
  expect(words.filter((part) => !shown.includes(part))).toEqual([]);
});
