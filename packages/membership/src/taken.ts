import { DecodeError } from '@starling/core';
import type { Refusal } from '@starling/protocol-membership';

/** What taking something into the books came to. */
export type Taken =
  | { readonly kind: 'new' }
  | { readonly kind: 'known' }
  | { readonly kind: 'refused'; readonly reason: Refusal; readonly detail: string };

export const NEW: Taken = { kind: 'new' };
export const KNOWN: Taken = { kind: 'known' };
export const no = (reason: Refusal, detail: string): Taken => ({ kind: 'refused', reason, detail });

/** What `read` gives; undefined on bytes that do not decode. */
export function decoded<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}
