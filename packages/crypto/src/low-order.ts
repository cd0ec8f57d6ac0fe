import { toHex } from '@starling/core';

const ZEROS = '00'.repeat(31);
const ONES = 'ff'.repeat(30);
/**
 * The y of all Ed25519 points whose order divides 8, with the encodings of them that are not
 * canonical; the list of libsodium and of "Taming the Many EdDSAs" (2020), table 6.
 */
const LOW_ORDER: ReadonlySet<string> = new Set([
  `00${ZEROS}`,
  `01${ZEROS}`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  `ec${ONES}7f`,
  `ed${ONES}7f`,
  `ee${ONES}7f`,
]);

/**
 * Whether `publicKey` is a point of low order. Under such a key anybody can sign, and one signature
 * holds for many messages; OpenSSL takes it for a key like any other.
 * @param publicKey 32 bytes
 */
export function isLowOrder(publicKey: Uint8Array): boolean {
  const unsigned = Uint8Array.from(publicKey);
  unsigned[31]! &= 0x7f;
  return LOW_ORDER.has(toHex(unsigned));
}
