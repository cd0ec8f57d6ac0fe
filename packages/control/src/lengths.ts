import { z } from 'zod';

/** zod's own `min` and `max` throw a TypeError on an object whose `length` is no number. */
export const lengthWithin = (most: number, what: string) =>
  [
    ({ length }: { readonly length: number }) => length >= 1 && length <= most,
    `expected 1 to ${most} ${what}`,
  ] as const;
/** Text of so many characters at most, and at least one. */
export const text = (most: number) => z.string().refine(...lengthWithin(most, 'characters'));
