/**
 * Local time of day.
 * @param at milliseconds since 1970
 */
export const clockText = (at: number): string => new Date(at).toTimeString().slice(0, 8);
