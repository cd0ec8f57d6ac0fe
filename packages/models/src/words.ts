/** The beginning of a hash, enough for people to tell it from others. */
export const quote = (hash: string): string => hash.slice(0, 12);
