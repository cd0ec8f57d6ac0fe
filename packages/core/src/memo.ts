/**
 * Remembers the last `most` answers of a pure function by the name of its arguments, for those that
 * are asked for again and again and cost more than a name does.
 */
export function remembered<T>(most: number): (name: string, make: () => T) => T {
  const known = new Map<string, T>();
  return (name, make) => {
    const before = known.get(name);
    if (before !== undefined) return before;
    const made = make();
    known.set(name, made);
    if (known.size > most) known.delete(known.keys().next().value!);
    return made;
  };
}
