/** A protocol that a peer speaks, though in no version that this one does. */
export interface VersionGap {
  /** Such as `rounds`. */
  readonly protocol: string;
  readonly theirs: number;
  readonly ours: number;
}

/** `/starling/<protocol>/<version>/<what>/<network>`; what may be missing. */
const VERSIONED = /^\/starling\/([a-z][a-z-]*)\/([1-9]\d{0,5})(\/.+)$/;

interface Spoken {
  readonly protocol: string;
  readonly version: number;
}

/**
 * What two peers of one swarm cannot talk about since one of them is older: every protocol that
 * both have, in versions that differ. One that a peer has not at all is no gap.
 * @param ours ids that this peer answers
 * @param theirs ids that the other has told by identify
 */
export function versionGaps(
  ours: readonly string[],
  theirs: readonly string[],
): readonly VersionGap[] {
  const [own, foreign] = [spokenIn(ours), spokenIn(theirs)];
  const gaps = new Map<string, VersionGap>();
  for (const [subject, versions] of own) {
    const others = foreign.get(subject);
    if (others === undefined || versions.some((each) => others.some(sameAs(each)))) continue;
    const [newest, known] = [newestOf(others), newestOf(versions)];
    const { protocol } = known;
    gaps.set(protocol, { protocol, theirs: newest.version, ours: known.version });
  }
  return [...gaps.values()].sort((a, b) => (a.protocol < b.protocol ? -1 : 1));
}

/** A sentence for whoever has to act. */
export function gapText({ protocol, theirs, ours }: VersionGap): string {
  const what = `it speaks ${protocol} ${theirs}, this peer ${ours}`;
  return `${what}: ${theirs < ours ? 'it' : 'this peer'} must be updated`;
}

/** By what is spoken of, the version left out. */
function spokenIn(ids: readonly string[]): ReadonlyMap<string, readonly Spoken[]> {
  const all = new Map<string, Spoken[]>();
  for (const id of ids) {
    const [, protocol, version, rest] = VERSIONED.exec(id) ?? [];
    if (protocol === undefined || rest === undefined) continue;
    const subject = `${protocol}${rest}`;
    all.set(subject, [...(all.get(subject) ?? []), { protocol, version: Number(version) }]);
  }
  return all;
}

const sameAs = (one: Spoken) => (other: Spoken) => one.version === other.version;
const newestOf = (spoken: readonly Spoken[]): Spoken =>
  spoken.reduce((best, each) => (each.version > best.version ? each : best));
