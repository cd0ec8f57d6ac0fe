/**
 * Whether patterns name a weight, as one that stays as it is, or is a peer's own. They are read in
 * order and the last that matches decides: `*` stands for any characters, `?` for one, and a
 * leading `!` takes back. Adapters alone are trained where `['*', '!*lora*']` is frozen.
 */
export function isNamed(name: string, patterns: readonly string[]): boolean {
  const last = patterns.findLast((pattern) => matchesGlob(name, bare(pattern)));
  return last !== undefined && !last.startsWith('!');
}

const bare = (pattern: string) => (pattern.startsWith('!') ? pattern.slice(1) : pattern);

/** Patterns that match none of the names. */
export const idlePatterns = (names: readonly string[], patterns: readonly string[]) =>
  patterns.filter((pattern) => !names.some((name) => matchesGlob(name, bare(pattern))));

/**
 * Goes back to the latest star only, so that a foreign pattern costs at most its length times the
 * name's; a regular expression of many stars would not end.
 */
function matchesGlob(name: string, pattern: string): boolean {
  let [at, read, star, resume] = [0, 0, -1, 0];
  while (at < name.length) {
    if (pattern[read] === '*') {
      star = read++;
      resume = at;
    } else if (read < pattern.length && (pattern[read] === '?' || pattern[read] === name[at])) {
      at += 1;
      read += 1;
    } else if (star >= 0) {
      resume += 1;
      at = resume;
      read = star + 1;
    } else return false;
  }
  while (pattern[read] === '*') read += 1;
  return read === pattern.length;
}
