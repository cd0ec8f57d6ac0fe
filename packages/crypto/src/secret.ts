import { hkdfSync, timingSafeEqual } from 'node:crypto';
import { assert } from '@starling/core';

const REDACTED = '[secret]';
const EMPTY = new Uint8Array(0);

/**
 * Key material that no log, error, snapshot or JSON can print. Holds its own copy of the bytes.
 * It does not survive structured cloning: what must cross to a worker is revealed on purpose.
 */
export class Secret {
  #bytes: Uint8Array | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = Uint8Array.from(bytes);
  }

  /** The bytes themselves, not a copy; read them and let go. @throws InvariantError after `wipe` */
  reveal(): Uint8Array {
    assert(this.#bytes !== undefined, 'a wiped secret was read');
    return this.#bytes;
  }

  /** Compares in time that depends on the lengths only. */
  equals(other: Secret): boolean {
    const [mine, theirs] = [this.reveal(), other.reveal()];
    return mine.length === theirs.length && timingSafeEqual(mine, theirs);
  }

  /** Overwrites the bytes. Best effort: the engine may have moved them before. */
  wipe(): void {
    this.#bytes?.fill(0);
    this.#bytes = undefined;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return REDACTED;
  }
}

/**
 * HKDF-SHA256 (RFC 5869) with empty salt. `info` carries the label and everything the key is bound
 * to.
 * @param length bytes, at most 255·32
 */
export function deriveSecret(input: Secret | Uint8Array, info: Uint8Array, length = 32): Secret {
  const key = input instanceof Secret ? input.reveal() : input;
  const derived = new Uint8Array(hkdfSync('sha256', key, EMPTY, info, length));
  const secret = new Secret(derived);
  derived.fill(0);
  return secret;
}
