import { type Clock, millis } from '@starling/core';

/** Resolves after `ms` of the node's own clock. */
export const delay = ({ clock }: { readonly clock: Clock }, ms: number): Promise<void> =>
  new Promise((resolve) => {
    clock.setTimer(millis(ms), resolve);
  });
