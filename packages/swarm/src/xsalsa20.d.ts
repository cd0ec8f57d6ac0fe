/** As far as `cipher-room.ts` needs it; `_xor` and what is in it is no public part of it. */
declare module 'xsalsa20' {
  interface Cipher {
    update(input: Uint8Array): Uint8Array;
    readonly _xor: { realloc?(size: number): void; readonly _memory?: Uint8Array };
  }
  export default function xsalsa20(nonce: Uint8Array, key: Uint8Array): Cipher;
}
