/** Which events a sink gets. */
export interface Wanted {
  /** Types, `*` for any ending, as `starling.round.*`; all when there are none. */
  readonly types: readonly string[];
  /** Ids or names of jobs; all when there are none. */
  readonly jobs: readonly string[];
}

interface Told {
  readonly type: string;
  readonly data: object;
}

/** Word that events are missing reaches every sink. */
export function isWanted({ types, jobs }: Wanted, { type, data }: Told): boolean {
  if (type === 'starling.events.missed') return true;
  const { job, name } = data as { readonly job?: string; readonly name?: string };
  const isType = types.length === 0 || types.some((pattern) => matches(pattern, type));
  const isJob = jobs.length === 0 || jobs.some((each) => each === job || each === name);
  return isType && isJob;
}

const matches = (pattern: string, type: string): boolean =>
  pattern.endsWith('*') ? type.startsWith(pattern.slice(0, -1)) : type === pattern;
