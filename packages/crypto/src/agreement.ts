import { diffieHellman, type KeyObject } from 'node:crypto';
import { remembered, toHex } from '@starling/core';
import { KEY_BYTES, privateKey, publicKey, rawPublicKey } from './key-object.ts';
import { Secret } from './secret.ts';

/** An X25519 key pair (RFC 7748). */
export interface AgreementKey {
  /** 32 bytes */
  readonly publicKey: Uint8Array;
  /** What the pair was made from: it is this that gets shared out among a cell. */
  readonly seed: Secret;
  /**
   * The shared secret, 32 bytes; derive keys from it, never use it as one. Undefined when `theirs`
   * is no key or a point of low order, which would make the secret known to everybody.
   */
  agree(theirs: Uint8Array): Secret | undefined;
}

/** An import costs three times an agreement, and a member's keys are used by its whole cell. */
const imported = remembered<KeyObject>(4_096);

/** @param seed 32 secret bytes */
export function agreementKeyFromSeed(seed: Uint8Array): AgreementKey {
  const key = privateKey('x25519', seed);
  return {
    publicKey: rawPublicKey(key),
    seed: new Secret(seed),
    agree: (theirs) => {
      if (theirs.length !== KEY_BYTES) return undefined;
      try {
        const publicHalf = imported(toHex(theirs), () => publicKey('x25519', theirs));
        const shared = diffieHellman({ privateKey: key, publicKey: publicHalf });
        const secret = new Secret(shared);
        shared.fill(0);
        return secret;
      } catch {
        // OpenSSL refuses the all-zero result of a low-order point (RFC 7748 §6.1).
        return undefined;
      }
    },
  };
}
