import type { JobEvent } from '@starling/control';
import { ProtocolError } from '@starling/core';
import { clientOf } from '../client.ts';
import type { DaemonOptions } from '../options.ts';
import { coloured, print, printJson, shortHash } from '../output.ts';
import { oneLine } from '../table.ts';
import { clockText } from '../terminal/clock.ts';

export interface EventChoice {
  /** Kinds, each of which may end in `*`; all when there are none. */
  readonly types?: readonly string[] | undefined;
  /** The id of the only job to tell of. */
  readonly job?: string | undefined;
}

/** Tells every event of the daemon until it ends. */
export async function followEvents(options: DaemonOptions, choice: EventChoice): Promise<void> {
  const client = clientOf(options);
  const only = choice.job === undefined ? undefined : (await client.job(choice.job)).id;
  const names = new Map((await client.jobs()).map(({ id, name }) => [id, name]));
  for await (const event of client.allEvents()) {
    if (!isWanted(event, { ...choice, job: only })) continue;
    if (options.json) printJson(event);
    else {
      const known = names.get(event.job) ?? (await client.job(event.job)).name;
      names.set(event.job, known);
      print(eventLine(event, known, Date.now()));
    }
  }
  throw new ProtocolError('ended', 'the daemon has ended. `starling up` starts it again');
}

export function isWanted({ kind, job }: JobEvent, { types, job: only }: EventChoice): boolean {
  if (only !== undefined && job !== only) return false;
  if (types === undefined || types.length === 0) return true;
  return types.some((type) =>
    type.endsWith('*') ? kind.startsWith(type.slice(0, -1)) : kind === type,
  );
}

/** @param now milliseconds since 1970 */
export const eventLine = ({ kind, job, text }: JobEvent, name: string, now: number): string =>
  [
    coloured('dim', clockText(now)),
    oneLine(`${name} (${shortHash(job)})`),
    coloured('cyan', kind),
    oneLine(text),
  ].join('  ');
