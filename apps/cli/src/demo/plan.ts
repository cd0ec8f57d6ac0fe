import { createGenerator } from '@starling/autodiff';
import { ConfigError } from '@starling/core';
import { KILL_PHASES, type KillPlan } from '@starling/daemon';

export interface DemoOptions {
  readonly peers: number;
  readonly rounds: number;
  readonly model: 'mlp' | 'cnn';
  readonly kill: number;
  readonly killTogether: boolean;
  readonly seed: number;
  /** Folder for masked chunks and plain inputs, to look at. */
  readonly capture?: string | undefined;
}

/** Fewest peers that can go on after the kills. */
const PEERS_MIN = 3;

/**
 * Who dies when: the launcher (peer 0) first, then others drawn from the seed; each in a round and
 * a phase drawn from the seed, one a round, or all in one round.
 */
export function planKills(options: DemoOptions): ReadonlyMap<number, KillPlan> {
  const { peers, rounds, kill, killTogether, seed } = options;
  if (peers < PEERS_MIN) throw new ConfigError('--peers', `${peers} peers cannot hide anything`);
  if (peers - kill < PEERS_MIN) {
    const hint = `Kill at most ${peers - PEERS_MIN} of ${peers}`;
    throw new ConfigError('--kill', `${kill} kills would leave fewer than ${PEERS_MIN}`, hint);
  }
  if (!killTogether && kill > rounds - 2) {
    throw new ConfigError('--kill', `${kill} kills need at least ${kill + 2} rounds`);
  }
  const generator = createGenerator(seed);
  const others = Array.from({ length: peers - 1 }, (_, i) => i + 1);
  const plan = new Map<number, KillPlan>();
  // Not in the first round, so that there is something to lose, and not in the last.
  const together = 2 + generator.below(Math.max(1, rounds - 2));
  for (let i = 0; i < kill; i++) {
    const victim = i === 0 ? 0 : others.splice(generator.below(others.length), 1)[0]!;
    const phase = KILL_PHASES[generator.below(KILL_PHASES.length)]!;
    plan.set(victim, { round: killTogether ? together : 2 + i, phase });
  }
  return plan;
}
