import { ProtocolError } from '@starling/core';
import { type PublishedCard, readCard } from '@starling/protocol-models';

/** A card whose signature holds, or what is wrong with it. */
export function openCard(bytes: Uint8Array, whose = 'the card'): PublishedCard | string {
  try {
    return readCard(bytes) ?? `${whose}: the signature is not its publisher's`;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return `${whose}: malformed (${error.message})`;
  }
}
