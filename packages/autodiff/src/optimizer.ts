import type { Ops } from './ops.ts';

/** One parameter under SGD with momentum. */
export interface SgdState {
  readonly weight: string;
  /** Sum of past steps, absent without momentum. */
  readonly velocity: string | undefined;
}

/**
 * One step of SGD: v ← μ·v + step, w ← w − v, where `step` is the gradient times the learning rate.
 * With a learning rate that is constant while the velocity lives this is PyTorch's rule; scaling
 * the gradient at the loss instead of at each weight saves a pass over all weights.
 */
export function sgdStep(g: Ops, state: SgdState, step: string, momentum: number): SgdState {
  if (state.velocity === undefined)
    return { weight: g.sub(state.weight, step), velocity: undefined };
  const velocity = g.add(g.scale(state.velocity, momentum), step);
  return { weight: g.sub(state.weight, velocity), velocity };
}
