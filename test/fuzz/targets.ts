import type { Tally } from './runner.ts';
import type { Target } from './target.ts';
import { fileTargets } from './targets-files.ts';
import { wireTargets } from './targets-wire.ts';

export const allTargets = (): readonly Target[] => [...wireTargets(), ...fileTargets()];

/** What a run of one target came to. */
export const line = ({ target, executions, accepted, rare, crashers }: Tally): string =>
  [
    target.padEnd(30),
    `${executions} executions`.padStart(20),
    `${accepted} accepted`.padStart(18),
    `${rare.size} branches`.padStart(14),
    `${crashers.length} broken`.padStart(10),
  ].join('');
