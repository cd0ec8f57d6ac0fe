/**
 * Adds the ChaCha20 keystream (RFC 8439 §2.3, zero nonce) to `into`, 16 words a block: what masking
 * would cost without node:crypto and WASM.
 * @param key 8 words
 */
export function addChaCha20(into: Uint32Array, key: Uint32Array): void {
  const constants = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574];
  const start = new Uint32Array([...constants, ...key, 0, 0, 0, 0]);
  const x = new Int32Array(16);
  for (let at = 0; at < into.length; at += 16) {
    x.set(start);
    for (let round = 0; round < 10; round++) {
      quarter(x, 0, 4, 8, 12);
      quarter(x, 1, 5, 9, 13);
      quarter(x, 2, 6, 10, 14);
      quarter(x, 3, 7, 11, 15);
      quarter(x, 0, 5, 10, 15);
      quarter(x, 1, 6, 11, 12);
      quarter(x, 2, 7, 8, 13);
      quarter(x, 3, 4, 9, 14);
    }
    const end = Math.min(16, into.length - at);
    for (let i = 0; i < end; i++) into[at + i] = into[at + i]! + x[i]! + start[i]!;
    start[12] = start[12]! + 1;
  }
}

function quarter(x: Int32Array, a: number, b: number, c: number, d: number): void {
  let [p, q, r, s] = [x[a]!, x[b]!, x[c]!, x[d]!];
  p = (p + q) | 0;
  s ^= p;
  s = (s << 16) | (s >>> 16);
  r = (r + s) | 0;
  q ^= r;
  q = (q << 12) | (q >>> 20);
  p = (p + q) | 0;
  s ^= p;
  s = (s << 8) | (s >>> 24);
  r = (r + s) | 0;
  q ^= r;
  q = (q << 7) | (q >>> 25);
  x[a] = p;
  x[b] = q;
  x[c] = r;
  x[d] = s;
}
