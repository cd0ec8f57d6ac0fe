import type { Manifest } from '@starling/protocol-rounds';

/**
 * Why a manifest's settings do not go with SCAFFOLD, or undefined. Its control variates are read
 * off the updates (decision 0025), so a local step has to be η · (gradient − cᵢ + c) and nothing
 * else.
 */
export function scaffoldFault({ aggregation, training, privacy }: Manifest): string | undefined {
  if (aggregation.algorithm !== 'scaffold') return undefined;
  const { optimizer, momentum, schedule, proximal } = training;
  const { rotation, errorFeedback, sparsity } = aggregation;
  const checks: readonly [ok: boolean, fault: string][] = [
    [
      optimizer === 'sgd' && momentum === 0,
      'training.optimizer sgd with momentum 0: control variates are read off plain steps',
    ],
    [
      schedule.kind === 'constant' && schedule.warmup === 0,
      'training.schedule constant without warm-up: the rate of all steps stands in its variates',
    ],
    [proximal === 0, 'training.proximal 0: it corrects the drift of peers by itself'],
    [
      aggregation.weighting === 'uniform',
      'aggregation.weighting uniform: its variates are plain means over peers',
    ],
    [
      rotation === 'none' && !errorFeedback && sparsity === 1,
      'no rotation, no errorFeedback and sparsity 1: each word must say what one weight moved',
    ],
    [
      privacy.mechanism === 'none',
      'privacy.mechanism none: numbers of steps would travel without noise, and the noise of ' +
        'each sum would move every local step of the next round',
    ],
  ];
  const fault = checks.find(([ok]) => !ok)?.[1];
  return fault === undefined ? undefined : `aggregation.algorithm scaffold needs ${fault}`;
}
