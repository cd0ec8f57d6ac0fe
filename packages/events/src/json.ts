import { utf8 } from '@starling/core';

export const encodeJson = (value: unknown): Uint8Array => utf8(JSON.stringify(value));

/** What this package wrote itself; nothing foreign comes through here. */
export const decodeJson = <T>(bytes: Uint8Array): T =>
  JSON.parse(new TextDecoder().decode(bytes)) as T;
