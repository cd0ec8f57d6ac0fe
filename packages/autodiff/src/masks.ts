import { float } from '@starling/onnx';
import type { Ops } from './ops.ts';

/**
 * Slope of masks: so steep that what is above 1e-30 is cut off at 1, and not so steep that numbers
 * below 3e8 overflow, which a GPU may take for anything.
 */
const STEEP = 1e30;

/**
 * 1 where `a` is positive, 0 elsewhere, as one steep HardSigmoid. A comparison gives truth values,
 * and choosing by them, or casting them, costs ONNX Runtime two to four times as much.
 */
export const positiveMask = (g: Ops, a: string): string =>
  g.call('HardSigmoid', [a], { alpha: float(STEEP), beta: float(0) });

/** −1, 0 or 1. */
export const signMask = (g: Ops, a: string): string => kneeMask(g, a, -1);

/** 1 where `a` is positive, `below` where it is negative. */
export function kneeMask(g: Ops, a: string, below: number): string {
  const steep = g.mul(a, g.number(below < 1 ? STEEP : -STEEP));
  return g.call('Clip', [steep, g.number(Math.min(below, 1)), g.number(Math.max(below, 1))]);
}

/** 1 where `a` and `b` are equal, 0 elsewhere. */
export const equalMask = (g: Ops, a: string, b: string): string => g.cast(g.equal(a, b), 'float32');
