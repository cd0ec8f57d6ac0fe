// packages/crypto/src/hash.ts
import { createHash } from 'node:crypto';
import {
  assert,
  bytes,
  compareText,
  concatBytes,
  decodeCanonical,
  encodeCanonical,
  equalBytes,
  f64,
  fromHex,
  LIMITS,
  list,
  mapped,
  millis,
  nullable,
  oneOf,
  ProtocolError,
  struct,
  text,
  toHex,
  u32,
  u32be,
  union,
  unreachable,
  utf8,
} from './chunk-74QJAORY.js';

function sha256(...parts) {
  const hash2 = createHash('sha256');
  for (const part2 of parts) hash2.update(part2);
  return plain(hash2.digest());
}
function hashHex(...parts) {
  return toHex(sha256(...parts));
}
function plain(buffer) {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}

// packages/crypto/src/aead.ts
import { createCipheriv, createDecipheriv } from 'node:crypto';

var CIPHER = 'chacha20-poly1305';
var TAG_BYTES = 16;
var NONCE = new Uint8Array(12);
function seal(key, plaintext, associated) {
  const cipher = createCipheriv(CIPHER, key.reveal(), NONCE, { authTagLength: TAG_BYTES });
  cipher.setAAD(associated, { plaintextLength: plaintext.length });
  const body = cipher.update(plaintext);
  cipher.final();
  return concatBytes(body, cipher.getAuthTag());
}
function open(key, sealed, associated) {
  if (sealed.length < TAG_BYTES) return void 0;
  const body = sealed.subarray(0, sealed.length - TAG_BYTES);
  const cipher = createDecipheriv(CIPHER, key.reveal(), NONCE, { authTagLength: TAG_BYTES });
  cipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  cipher.setAAD(associated, { plaintextLength: body.length });
  const plaintext = Uint8Array.from(cipher.update(body));
  try {
    cipher.final();
    return plaintext;
  } catch {
    plaintext.fill(0);
    return void 0;
  }
}

// packages/crypto/src/agreement.ts
// packages/crypto/src/key-object.ts
import { createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto';

var KEY_BYTES = 32;
var DER = {
  ed25519: {
    pkcs8: fromHex('302e020100300506032b657004220420'),
    spki: fromHex('302a300506032b6570032100'),
  },
  x25519: {
    pkcs8: fromHex('302e020100300506032b656e04220420'),
    spki: fromHex('302a300506032b656e032100'),
  },
};
function privateKey(curve, seed) {
  assert(seed.length === KEY_BYTES, `${curve} seed: ${seed.length} bytes`);
  const der = Buffer.from(concatBytes(DER[curve].pkcs8, seed));
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  der.fill(0);
  return key;
}
function publicKey(curve, raw) {
  assert(raw.length === KEY_BYTES, `${curve} public key: ${raw.length} bytes`);
  const der = Buffer.from(concatBytes(DER[curve].spki, raw));
  return createPublicKey({ key: der, format: 'der', type: 'spki' });
}
function rawPublicKey(key) {
  const der = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return Uint8Array.from(der.subarray(der.length - KEY_BYTES));
}

// packages/crypto/src/secret.ts
import { hkdfSync, timingSafeEqual } from 'node:crypto';

var REDACTED = '[secret]';
var EMPTY = new Uint8Array(0);
var Secret = class {
  #bytes;
  constructor(bytes2) {
    this.#bytes = Uint8Array.from(bytes2);
  }
  /** The bytes themselves, not a copy; read them and let go. @throws InvariantError after `wipe` */
  reveal() {
    assert(this.#bytes !== void 0, 'a wiped secret was read');
    return this.#bytes;
  }
  /** Compares in time that depends on the lengths only. */
  equals(other) {
    const [mine, theirs] = [this.reveal(), other.reveal()];
    return mine.length === theirs.length && timingSafeEqual(mine, theirs);
  }
  /** Overwrites the bytes. Best effort: the engine may have moved them before. */
  wipe() {
    this.#bytes?.fill(0);
    this.#bytes = void 0;
  }
  toString() {
    return REDACTED;
  }
  toJSON() {
    return REDACTED;
  }
  [/* @__PURE__ */ Symbol.for('nodejs.util.inspect.custom')]() {
    return REDACTED;
  }
};
function deriveSecret(input, info, length = 32) {
  const key = input instanceof Secret ? input.reveal() : input;
  const derived = new Uint8Array(hkdfSync('sha256', key, EMPTY, info, length));
  const secret = new Secret(derived);
  derived.fill(0);
  return secret;
}

// packages/crypto/src/agreement.ts
function agreementKeyFromSeed(seed) {
  const key = privateKey('x25519', seed);
  return {
    publicKey: rawPublicKey(key),
    seed: new Secret(seed),
    agree: (theirs) => {
      if (theirs.length !== KEY_BYTES) return void 0;
      try {
        const publicHalf = publicKey('x25519', theirs);
        const shared = diffieHellman({ privateKey: key, publicKey: publicHalf });
        const secret = new Secret(shared);
        shared.fill(0);
        return secret;
      } catch {
        return void 0;
      }
    },
  };
}

// packages/crypto/src/keystream.ts
import { createCipheriv as createCipheriv2 } from 'node:crypto';

var BLOCK_BYTES = 16;
var PIECE_BYTES = 128 * 1024;
var ZEROS = new Uint8Array(PIECE_BYTES);
function keystreamFrom(seed, byteOffset) {
  assert(Number.isSafeInteger(byteOffset) && byteOffset >= 0, `keystream offset: ${byteOffset}`);
  const counter = new Uint8Array(BLOCK_BYTES);
  const block = BigInt(Math.floor(byteOffset / BLOCK_BYTES));
  new DataView(counter.buffer).setBigUint64(8, block);
  const cipher = createCipheriv2('aes-256-ctr', seed.reveal(), counter);
  cipher.update(ZEROS.subarray(0, byteOffset % BLOCK_BYTES));
  return {
    next: (length) => {
      if (length <= PIECE_BYTES) return plain(cipher.update(ZEROS.subarray(0, length)));
      const out = new Uint8Array(length);
      for (let at = 0; at < length; at += PIECE_BYTES) {
        out.set(cipher.update(ZEROS.subarray(0, Math.min(PIECE_BYTES, length - at))), at);
      }
      return out;
    },
  };
}
function keystream(seed, byteOffset, length) {
  return keystreamFrom(seed, byteOffset).next(length);
}

// packages/crypto/src/merkle.ts
var LEAF = new Uint8Array([0]);
var NODE = new Uint8Array([1]);
var leafHash = (leaf) => sha256(LEAF, leaf);
var nodeHash = (left, right) => sha256(NODE, left, right);
var cutOf = (count2) => 2 ** (31 - Math.clz32(count2 - 1));
function rootOf(hashes, from, to) {
  if (to - from === 1) return hashes[from];
  const cut = from + cutOf(to - from);
  return nodeHash(rootOf(hashes, from, cut), rootOf(hashes, cut, to));
}
function merkleRoot(leaves) {
  return leaves.length === 0 ? sha256() : rootOf(leaves.map(leafHash), 0, leaves.length);
}
function merkleProof(leaves, index) {
  const inside = Number.isInteger(index) && index >= 0 && index < leaves.length;
  assert(inside, `no leaf ${index} of ${leaves.length}`);
  const hashes = leaves.map(leafHash);
  const proof = [];
  let [from, to] = [0, leaves.length];
  while (to - from > 1) {
    const cut = from + cutOf(to - from);
    proof.unshift(index < cut ? rootOf(hashes, cut, to) : rootOf(hashes, from, cut));
    if (index < cut) to = cut;
    else from = cut;
  }
  return proof;
}
function verifyMerkleProof(root, leaf, index, count2, proof) {
  const inside =
    Number.isInteger(index) && Number.isInteger(count2) && index >= 0 && index < count2;
  if (!inside || count2 > 2 ** 31) return false;
  let hash2 = leafHash(leaf);
  let [place, last] = [index, count2 - 1];
  for (const sibling of proof) {
    if (last === 0 || sibling.length !== 32) return false;
    if (place % 2 === 1 || place === last) {
      hash2 = nodeHash(sibling, hash2);
      while (place % 2 === 0 && place !== 0) [place, last] = [place >>> 1, last >>> 1];
    } else {
      hash2 = nodeHash(hash2, sibling);
    }
    [place, last] = [place >>> 1, last >>> 1];
  }
  return last === 0 && equalBytes(hash2, root);
}

// packages/crypto/src/peer-id.ts
import { base58btc } from 'multiformats/bases/base58';

var PREFIX = new Uint8Array([0, 36, 8, 1, 18, 32]);
var TEXT_LENGTH = 52;
var REMEMBERED_MAX = 8192;
var idOfKey = /* @__PURE__ */ new Map();
var keyOfId = /* @__PURE__ */ new Map();
function remember(map, key, value) {
  map.set(key, value);
  if (map.size > REMEMBERED_MAX) map.delete(map.keys().next().value);
  return value;
}
function peerIdOf(publicKey2) {
  assert(publicKey2.length === KEY_BYTES, `public key: ${publicKey2.length} bytes`);
  const name2 = String.fromCharCode(...publicKey2);
  const known = idOfKey.get(name2);
  if (known !== void 0) return known;
  const id = base58btc.baseEncode(concatBytes(PREFIX, publicKey2));
  return remember(idOfKey, name2, id);
}
function parsePeerId(text2) {
  return rawKeyOf(text2) === void 0 ? void 0 : text2;
}
function publicKeyOf(peerId) {
  const raw = rawKeyOf(peerId);
  assert(raw !== void 0, `not a peer id: ${peerId.slice(0, 80)}`);
  return raw;
}
function rawKeyOf(text2) {
  const known = keyOfId.get(text2);
  if (known !== void 0) return known;
  if (text2.length !== TEXT_LENGTH) return void 0;
  let bytes2;
  try {
    bytes2 = base58btc.baseDecode(text2);
  } catch {
    return void 0;
  }
  const raw = bytes2.slice(PREFIX.length);
  const named = equalBytes(bytes2.subarray(0, PREFIX.length), PREFIX);
  if (!named || raw.length !== KEY_BYTES || peerIdOf(raw) !== text2) return void 0;
  return remember(keyOfId, text2, raw);
}

// packages/crypto/src/shamir.ts
var PRODUCTS = productTable();
var INVERSES = inverseTable();
function productTable() {
  const table = new Uint8Array(65536);
  for (let a = 1; a < 256; a++) {
    for (let b = 1; b < 256; b++) {
      let product = 0;
      for (let x = a, y = b; y > 0; y >>= 1) {
        if (y & 1) product ^= x;
        x = (x << 1) ^ (x & 128 ? 283 : 0);
      }
      table[256 * a + b] = product;
    }
  }
  return table;
}
function inverseTable() {
  const table = new Uint8Array(256);
  for (let a = 1; a < 256; a++) table[a] = PRODUCTS.indexOf(1, 256 * a) - 256 * a;
  return table;
}
var multiply = (a, b) => PRODUCTS[256 * a + b];
function splitSecret(secret, { threshold: threshold2, count: count2 }, coefficients) {
  assert(Number.isInteger(threshold2) && threshold2 >= 1, `share threshold: ${threshold2}`);
  assert(Number.isInteger(count2) && count2 >= threshold2 && count2 <= 255, `shares: ${count2}`);
  const length = secret.length;
  const needed = (threshold2 - 1) * length;
  assert(coefficients.length === needed, `${coefficients.length} coefficients, need ${needed}`);
  return Array.from({ length: count2 }, (_, index) => {
    const row = PRODUCTS.subarray(256 * (index + 1), 256 * (index + 2));
    const share = new Uint8Array(length);
    for (let at = needed - length; at >= 0; at -= length) {
      for (let i = 0; i < length; i++) share[i] = row[share[i] ^ coefficients[at + i]];
    }
    for (let i = 0; i < length; i++) share[i] ^= secret[i];
    return share;
  });
}
function combineShares(shares, threshold2) {
  assert(
    threshold2 >= 1 && shares.length >= threshold2,
    `${shares.length} shares of ${threshold2}`,
  );
  const used = shares.slice(0, threshold2);
  const length = used[0].share.length;
  const places = new Set(used.map(({ x }) => x));
  assert(places.size === used.length, 'two shares at one place');
  const secret = new Uint8Array(length);
  for (const { x, share } of used) {
    assert(Number.isInteger(x) && x >= 1 && x <= 255, `share at ${x}`);
    assert(share.length === length, `share of ${share.length} bytes beside one of ${length}`);
    const weight = lagrangeWeightAtZero(x, used);
    const row = PRODUCTS.subarray(256 * weight, 256 * (weight + 1));
    for (let i = 0; i < length; i++) secret[i] ^= row[share[i]];
  }
  return secret;
}
function lagrangeWeightAtZero(x, shares) {
  let weight = 1;
  for (const other of shares) {
    if (other.x !== x) weight = multiply(weight, multiply(other.x, INVERSES[other.x ^ x]));
  }
  return weight;
}

// packages/crypto/src/signing.ts
import { sign as signBytes, verify as verifyBytes } from 'node:crypto';

function signingKeyFromSeed(seed) {
  const key = privateKey('ed25519', seed);
  const raw = rawPublicKey(key);
  return {
    publicKey: raw,
    peerId: peerIdOf(raw),
    sign: (message) => plain(signBytes(null, message, key)),
  };
}
var SIGNATURE_BYTES = 64;
var CACHED_KEYS_MAX = 1024;
var cachedKeys = /* @__PURE__ */ new Map();
function keyOf(peerId) {
  const cached = cachedKeys.get(peerId);
  const raw = cached === void 0 ? rawKeyOf(peerId) : void 0;
  if (cached === void 0 && raw === void 0) return void 0;
  const key = cached ?? publicKey('ed25519', raw);
  cachedKeys.delete(peerId);
  cachedKeys.set(peerId, key);
  if (cachedKeys.size > CACHED_KEYS_MAX) cachedKeys.delete(cachedKeys.keys().next().value);
  return key;
}
var REMEMBERED_MAX2 = 65536;
var remembered = /* @__PURE__ */ new Set();
var counts = { performed: 0, remembered: 0 };
function verify(peerId, message, signature) {
  if (signature.length !== SIGNATURE_BYTES) return false;
  const digest = hashHex(utf8(peerId), signature, message);
  if (remembered.has(digest)) {
    counts.remembered += 1;
    return true;
  }
  counts.performed += 1;
  if (!verifyOnce(peerId, message, signature)) return false;
  remembered.add(digest);
  if (remembered.size > REMEMBERED_MAX2) remembered.delete(remembered.values().next().value);
  return true;
}
function verifyOnce(peerId, message, signature) {
  try {
    const key = keyOf(peerId);
    return key !== void 0 && verifyBytes(null, message, key, signature);
  } catch {
    return false;
  }
}

// packages/secagg/src/ring/budget.ts
var RING_BITS_MIN = 8;
var RING_BITS_MAX = 32;
function assertRingBits(bits) {
  const legal = Number.isInteger(bits) && bits >= RING_BITS_MIN && bits <= RING_BITS_MAX;
  assert(legal, `ring bits: ${bits}`);
}
function fitsRingBudget(bits, peers) {
  return bits + ceilLog2(peers) <= 32;
}
function ringBudget(bits, peers) {
  assertRingBits(bits);
  assert(fitsRingBudget(bits, peers), `the sum of ${peers} words of ${bits} bits may wrap`);
  return bits + ceilLog2(peers);
}
function ceilLog2(count2) {
  assert(Number.isInteger(count2) && count2 >= 1 && count2 <= 2 ** 31, `count: ${count2}`);
  return 32 - Math.clz32(count2 - 1);
}

// packages/secagg/src/ring/words.ts
assert(new Uint8Array(new Uint32Array([1]).buffer)[0] === 1, 'a big-endian host cannot run secagg');
function bytesOfWords(words) {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}
function wordsOfBytes(bytes2) {
  assert(bytes2.length % 4 === 0, `${bytes2.length} bytes are no whole words`);
  const aligned = bytes2.byteOffset % 4 === 0 ? bytes2 : bytes2.slice();
  return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.length / 4);
}
function addWords(target, addend) {
  const whole = target.length - (target.length % 8);
  let i = 0;
  for (; i < whole; i += 8) {
    target[i] = target[i] + addend[i];
    target[i + 1] = target[i + 1] + addend[i + 1];
    target[i + 2] = target[i + 2] + addend[i + 2];
    target[i + 3] = target[i + 3] + addend[i + 3];
    target[i + 4] = target[i + 4] + addend[i + 4];
    target[i + 5] = target[i + 5] + addend[i + 5];
    target[i + 6] = target[i + 6] + addend[i + 6];
    target[i + 7] = target[i + 7] + addend[i + 7];
  }
  for (; i < target.length; i++) target[i] = target[i] + addend[i];
}
function subtractWords(target, addend) {
  const whole = target.length - (target.length % 8);
  let i = 0;
  for (; i < whole; i += 8) {
    target[i] = target[i] - addend[i];
    target[i + 1] = target[i + 1] - addend[i + 1];
    target[i + 2] = target[i + 2] - addend[i + 2];
    target[i + 3] = target[i + 3] - addend[i + 3];
    target[i + 4] = target[i + 4] - addend[i + 4];
    target[i + 5] = target[i + 5] - addend[i + 5];
    target[i + 6] = target[i + 6] - addend[i + 6];
    target[i + 7] = target[i + 7] - addend[i + 7];
  }
  for (; i < target.length; i++) target[i] = target[i] - addend[i];
}
function sumInto(target, addend) {
  assert(target.length === addend.length, `ring length: ${target.length} !== ${addend.length}`);
  addWords(target, addend);
}
function maskTo(target, bits) {
  assertRingBits(bits);
  if (bits === 32) return;
  const mask = 2 ** bits - 1;
  for (let i = 0; i < target.length; i++) target[i] = target[i] & mask;
}

// packages/secagg/src/ring/wasm-module.ts
var TILE_BYTES = 128 * 1024;
var STEP_BYTES = 64;
var I32 = 127;
var LOCAL_GET_AT = [32, 0];
var LOCAL_SET_AT = [33, 0];
var I32X4 = { add: [253, 174, 1], subtract: [253, 177, 1] };
function leb(value) {
  return value < 128 ? [value] : [(value & 127) | 128, ...leb(value >>> 7)];
}
var sized = (bytes2) => [...leb(bytes2.length), ...bytes2];
var list2 = (items) => [...leb(items.length), ...items.flat()];
var section = (id, items) => [id, ...sized(list2(items))];
var name = (text2) => sized([...text2].map((letter) => letter.charCodeAt(0)));
var load = (offset) => [...LOCAL_GET_AT, 253, 0, 4, ...leb(offset)];
var store = (offset) => [253, 11, 4, ...leb(offset)];
function kernelBody(operation) {
  const lanes = [0, 16, 32, 48].flatMap((k) => [
    ...LOCAL_GET_AT,
    ...load(k),
    ...load(TILE_BYTES + k),
    ...operation,
    ...store(k),
  ]);
  const stepBack = [...LOCAL_GET_AT, 65, 192, 0, 107, ...LOCAL_SET_AT];
  const loop = [3, 64, ...stepBack, ...lanes, ...LOCAL_GET_AT, 13, 0, 11];
  return sized([0, ...loop, 11]);
}
function assembleKernel() {
  const pages = (2 * TILE_BYTES) / 65536;
  return new Uint8Array([
    ...[0, 97, 115, 109, 1, 0, 0, 0],
    ...section(1, [[96, 1, I32, 0]]),
    ...section(3, [[0], [0]]),
    ...section(5, [[1, ...leb(pages), ...leb(pages)]]),
    ...section(7, [
      [...name('memory'), 2, 0],
      [...name('add'), 0, 0],
      [...name('subtract'), 0, 1],
    ]),
    ...section(10, [kernelBody(I32X4.add), kernelBody(I32X4.subtract)]),
  ]);
}

// packages/secagg/src/ring/kernels.ts
var TILE_WORDS = TILE_BYTES / 4;
function inPlace(name2, apply) {
  let current = new Uint32Array(0);
  return {
    name: name2,
    load: (tile) => {
      current = tile;
    },
    apply: (mask, sign) => apply(current, wordsOfBytes(mask), sign),
    store: () => {
      current = new Uint32Array(0);
    },
  };
}
var referenceKernel = inPlace('reference', (tile, mask, sign) => {
  for (let i = 0; i < tile.length; i++) tile[i] = tile[i] + sign * mask[i];
});
var unrolledKernel = inPlace('unrolled', (tile, mask, sign) => {
  if (sign === 1) addWords(tile, mask);
  else subtractWords(tile, mask);
});
function createWasmKernel(module) {
  const instance = new WebAssembly.Instance(module);
  const { memory, add, subtract } = instance.exports;
  const tileWords = new Uint32Array(memory.buffer, 0, TILE_WORDS);
  const maskBytes = new Uint8Array(memory.buffer, TILE_BYTES, TILE_BYTES);
  return {
    name: 'wasm',
    load: (tile) => tileWords.set(tile),
    apply: (mask, sign) => {
      maskBytes.set(mask);
      const bytes2 = STEP_BYTES * Math.ceil(mask.length / STEP_BYTES);
      if (bytes2 === 0) return;
      if (sign === 1) add(bytes2);
      else subtract(bytes2);
    },
    store: (tile) => tile.set(tileWords.subarray(0, tile.length)),
  };
}
var moduleBytes = assembleKernel();
var wasmKernel = WebAssembly.validate(moduleBytes)
  ? createWasmKernel(new WebAssembly.Module(moduleBytes))
  : void 0;
var tileKernel = wasmKernel ?? unrolledKernel;

// packages/secagg/src/ring/layout.ts
var CHUNK_BYTES = 256 * 1024;
function chunkLayout(length, bits, { chunkBytes = CHUNK_BYTES } = {}) {
  assertRingBits(bits);
  assert(Number.isInteger(length) && length >= 1, `vector length: ${length}`);
  const words = 8 * Math.floor(chunkBytes / bits);
  assert(words >= 8, `chunk of ${chunkBytes} bytes`);
  const count2 = Math.ceil(length / words);
  assert(count2 <= LIMITS.chunksMax, `${count2} chunks, at most ${LIMITS.chunksMax}`);
  const offsetOf = (index) => {
    assert(Number.isInteger(index) && index >= 0 && index < count2, `chunk ${index} of ${count2}`);
    return index * words;
  };
  const wordsOf = (index) => Math.min(words, length - offsetOf(index));
  return {
    count: count2,
    offsetOf,
    wordsOf,
    bytesOf: (index) => Math.ceil((wordsOf(index) * bits) / 8),
  };
}

// packages/secagg/src/ring/masks.ts
function addMasks(target, terms, wordOffset) {
  addMasksWith(tileKernel, target, terms, wordOffset);
}
function addMasksWith(kernel, target, terms, wordOffset) {
  assert(Number.isInteger(wordOffset) && wordOffset >= 0, `word offset: ${wordOffset}`);
  const streams = terms.map(({ seed, sign }) => {
    return { stream: keystreamFrom(seed, 4 * wordOffset), sign };
  });
  for (let at = 0; at < target.length; at += TILE_WORDS) {
    const tile = target.subarray(at, at + TILE_WORDS);
    kernel.load(tile);
    for (const { stream, sign } of streams) kernel.apply(stream.next(4 * tile.length), sign);
    kernel.store(tile);
  }
}

// packages/secagg/src/ring/packing.ts
var packedBytes = (count2, bits) => Math.ceil((count2 * bits) / 8);
function packWords(words, bits) {
  assertRingBits(bits);
  let seen = 0;
  for (let i = 0; i < words.length; i++) seen |= words[i];
  assert(bits === 32 || seen >>> bits === 0, `a word exceeds ${bits} bits`);
  switch (bits) {
    case 16:
      return new Uint8Array(Uint16Array.from(words).buffer);
    case 24:
      return pack24(words);
    case 32:
      return bytesOfWords(words).slice();
    default:
      return packAny(words, bits);
  }
}
function pack24(words) {
  const quads = Math.floor(words.length / 4);
  const out = new Uint32Array(Math.ceil((words.length * 3) / 4));
  for (let i = 0, at = 0, end2 = 4 * quads; i < end2; i += 4, at += 3) {
    const [b, c] = [words[i + 1], words[i + 2]];
    out[at] = words[i] | (b << 24);
    out[at + 1] = (b >>> 8) | (c << 16);
    out[at + 2] = (c >>> 16) | (words[i + 3] << 8);
  }
  const bytes2 = bytesOfWords(out).subarray(0, 3 * words.length);
  bytes2.set(packAny(words.subarray(4 * quads), 24), 12 * quads);
  return bytes2;
}
function packAny(words, bits) {
  const out = new Uint8Array(packedBytes(words.length, bits));
  let at = 0;
  let low = 0;
  let held = 0;
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    low |= word << held;
    let high = held === 0 ? 0 : word >>> (32 - held);
    held += bits;
    while (held >= 8) {
      out[at++] = low;
      low = (low >>> 8) | (high << 24);
      high >>>= 8;
      held -= 8;
    }
  }
  if (held > 0) out[at] = low;
  return out;
}
function unpackWords(bytes2, bits, count2) {
  assertRingBits(bits);
  const expected = packedBytes(count2, bits);
  if (bytes2.length !== expected) {
    throw new ProtocolError('packing', `${bytes2.length} bytes, expected ${expected}`);
  }
  const used = (count2 * bits) % 8;
  if (used !== 0 && bytes2[bytes2.length - 1] >>> used !== 0) {
    throw new ProtocolError('packing', 'padding bits are not zero');
  }
  switch (bits) {
    case 16: {
      const aligned = bytes2.byteOffset % 2 === 0 ? bytes2 : bytes2.slice();
      return Uint32Array.from(new Uint16Array(aligned.buffer, aligned.byteOffset, count2));
    }
    case 24:
      return unpack24(bytes2, count2);
    case 32:
      return wordsOfBytes(bytes2).slice();
    default:
      return unpackAny(bytes2, bits, count2);
  }
}
function unpack24(bytes2, count2) {
  const quads = Math.floor(count2 / 4);
  const words = wordsOfBytes(bytes2.subarray(0, 12 * quads));
  const out = new Uint32Array(count2);
  for (let i = 0, at = 0, end2 = 4 * quads; i < end2; i += 4, at += 3) {
    const [x, y, z] = [words[at], words[at + 1], words[at + 2]];
    out[i] = x & 16777215;
    out[i + 1] = (x >>> 24) | ((y & 65535) << 8);
    out[i + 2] = (y >>> 16) | ((z & 255) << 16);
    out[i + 3] = z >>> 8;
  }
  out.set(unpackAny(bytes2.subarray(12 * quads), 24, count2 - 4 * quads), 4 * quads);
  return out;
}
function unpackAny(bytes2, bits, count2) {
  const out = new Uint32Array(count2);
  const mask = 2 ** bits - 1;
  for (let i = 0, bit = 0; i < count2; i++, bit += bits) {
    const at = Math.floor(bit / 8);
    const shift = bit % 8;
    const low =
      bytes2[at] | (bytes2[at + 1] << 8) | (bytes2[at + 2] << 16) | (bytes2[at + 3] << 24);
    const high = shift === 0 ? 0 : bytes2[at + 4] << (32 - shift);
    out[i] = ((low >>> shift) | high) & mask;
  }
  return out;
}

// packages/secagg/src/bitmap.ts
function toBitmap(members, count2) {
  const out = new Uint8Array(Math.ceil(count2 / 8));
  for (const member of members) out[member >> 3] |= 1 << (member & 7);
  return out;
}
function fromBitmap(bitmap2, count2) {
  if (bitmap2.length !== Math.ceil(count2 / 8)) return void 0;
  const members = [];
  for (let bit = 0; bit < bitmap2.length * 8; bit++) {
    if ((bitmap2[bit >> 3] & (1 << (bit & 7))) === 0) continue;
    if (bit >= count2) return void 0;
    members.push(bit);
  }
  return members;
}

// protocols/secagg/src/messages.ts
var SECAGG_VERSION = 1;
var SECAGG_LABEL = `starling/secagg/${SECAGG_VERSION}`;
var CHUNK_PROTOCOL = `/starling/secagg/${SECAGG_VERSION}/chunk`;
var hash = bytes(32);
var memberIndex = u32(LIMITS.cellPeersMax - 1);
var viewMax = 1e3;
var bitmap = bytes(1, LIMITS.cellPeersMax / 8);
var chunkIndex = u32(LIMITS.chunksMax - 1);
var helloCodec = struct({ encryptionKey: bytes(32), maskKey: bytes(32) });
var sealedSharesCodec = struct({ selfMask: bytes(32), maskKey: bytes(32) });
var dealt = struct({
  sealed: bytes(0, 128),
  selfMaskCommitment: hash,
  maskKeyCommitment: hash,
  edgeCommitment: hash,
});
var keyshare = struct({
  selfMaskCommitment: hash,
  dealt: list(dealt, LIMITS.cellPeersMax),
});
var DECISIONS = ['mask-set', 'survivors'];
var decision = oneOf(DECISIONS);
var decisionValueCodec = union({
  set: struct({ members: bitmap }),
  abort: struct({}),
});
var propose = struct({
  decision,
  view: u32(viewMax),
  validView: nullable(u32(viewMax)),
  value: decisionValueCodec,
});
var vote = { decision, view: u32(viewMax), value: nullable(hash) };
var revealedShare = union({
  'self-mask': struct({ of: memberIndex, share: bytes(32) }),
  'mask-key': struct({ of: memberIndex, share: bytes(32) }),
});
var messageCodec = union({
  keyshare,
  propose,
  prevote: struct(vote),
  precommit: struct(vote),
  commit: struct({ root: hash }),
  receipt: struct({ revision: u32(7), contributors: bitmap }),
  sums: struct({ sums: list(struct({ chunk: chunkIndex, hash }), LIMITS.chunksMax) }),
  unmask: struct({
    selfMask: bytes(32),
    edges: list(struct({ with: memberIndex, seed: bytes(32) }), LIMITS.cellPeersMax),
  }),
  shares: struct({ revision: u32(7), items: list(revealedShare, LIMITS.cellPeersMax) }),
  abandon: struct({}),
});
var chunkHeaderCodec = struct({
  roundId: hash,
  attempt: u32(),
  chunk: chunkIndex,
  proof: list(hash, 16),
});
var encodeMessage = (message) => encodeCanonical(messageCodec, message);
var decodeMessage = (encoded) => decodeCanonical(messageCodec, encoded, LIMITS.controlBytesMax);
function slotOf(message) {
  switch (message.kind) {
    case 'propose':
    case 'prevote':
    case 'precommit':
      return `${message.kind}/${message.decision}/${message.view}`;
    case 'receipt':
    case 'shares':
      return `${message.kind}/${message.revision}`;
    default:
      return message.kind;
  }
}

// protocols/secagg/src/parameters.ts
var byzantineMax = (peers) => Math.ceil(peers / 3) - 1;
function threshold(peers) {
  assert(peers >= 1 && peers <= LIMITS.cellPeersMax, `a cell of ${peers} peers`);
  return Math.floor((2 * peers) / 3) + 1;
}
var survivorsMin = (peers) => Math.max(threshold(peers), byzantineMax(peers) + 2);
var abandonsMin = (peers) => 2 * byzantineMax(peers) + 1;

// packages/secagg/src/secrets.ts
var part = (seed, name2) => deriveSecret(seed, utf8(`${SECAGG_LABEL}/own/${name2}`));
var encryptionKeyOf = (seed) => agreementKeyFromSeed(part(seed, 'encryption-key').reveal());
var maskKeySeedOf = (seed) => part(seed, 'mask-key');
var maskKeyOf = (seed) => agreementKeyFromSeed(maskKeySeedOf(seed).reveal());
var selfMaskOf = (seed) => part(seed, 'self-mask');
var coefficientsOf = (seed, name2, length) =>
  deriveSecret(seed, utf8(`${SECAGG_LABEL}/own/coefficients/${name2}`), length).reveal();
function helloOf(seed) {
  return {
    encryptionKey: encryptionKeyOf(seed).publicKey,
    maskKey: maskKeyOf(seed).publicKey,
  };
}
function pairInfo(config, use, a, b) {
  return concatBytes(
    utf8(`${SECAGG_LABEL}/${use}`),
    config.roundId,
    u32be(config.attempt),
    config.rosterDigest,
    config.context,
    u32be(Math.min(a, b)),
    u32be(Math.max(a, b)),
  );
}
function edgeSeed(config, owner, key, other) {
  const agreed = key.agree(config.members[other].hello.maskKey);
  return agreed && deriveSecret(agreed, pairInfo(config, 'pair-mask', owner, other));
}
function sealingKey(config, key, dealer, holder) {
  const other = config.self === dealer ? holder : dealer;
  const agreed = key.agree(config.members[other].hello.encryptionKey);
  const direction = concatBytes(u32be(dealer), u32be(holder));
  const info = concatBytes(pairInfo(config, 'share-seal', dealer, holder), direction);
  return agreed && deriveSecret(agreed, info);
}
var label = (use) => utf8(`${SECAGG_LABEL}/${use}`);
var selfMaskCommitment = (config, selfMask) =>
  sha256(label('self-mask-commitment'), config.rosterDigest, selfMask);
var edgeCommitment = (config, seed) => sha256(label('edge-commitment'), config.rosterDigest, seed);
function shareCommitment(config, kind, dealer, holder, share) {
  const place = concatBytes(u32be(dealer), u32be(holder));
  return sha256(label(`share-commitment/${kind}`), config.rosterDigest, place, share);
}

// packages/secagg/src/decide.ts
var VIEWS_AHEAD_MAX = 64;
var hashOfValue = (value) => hashHex(encodeCanonical(decisionValueCodec, value));
function createDecision(name2, members, proposers) {
  return {
    name: name2,
    members,
    proposers,
    view: 0,
    step: 'waiting',
    locked: void 0,
    valid: void 0,
    decision: void 0,
    precommittedSet: false,
    proposals: /* @__PURE__ */ new Map(),
    votes: /* @__PURE__ */ new Map(),
    done: /* @__PURE__ */ new Set(),
  };
}
var copyDecision = (state) => ({
  ...state,
  proposals: new Map(state.proposals),
  votes: new Map(state.votes),
  done: new Set(state.done),
});
function receive(state, from, message) {
  if (message.view > state.view + VIEWS_AHEAD_MAX) return;
  if (message.kind !== 'propose') {
    const value = message.value === null ? 'nil' : toHex(message.value);
    state.votes.set(`${message.kind}/${message.view}/${from}`, value);
    return;
  }
  const isProposer = from === state.proposers[message.view % state.members];
  if (!isProposer || state.proposals.has(message.view)) return;
  state.proposals.set(message.view, { value: message.value, validView: message.validView });
}
function timeout(state, step3, view, io) {
  if (view !== state.view || state.step === 'decided') return;
  if (step3 === 'propose' && state.step === 'propose') vote2(state, 'prevote', void 0, io);
  else if (step3 === 'prevote' && state.step === 'prevote') vote2(state, 'precommit', void 0, io);
  else if (step3 === 'precommit') enterView(state, view + 1, io);
  advance(state, io);
}
function advance(state, io) {
  while (decideIfPrecommitted(state) || startIfReady(state, io) || stepOnce(state, io));
}
function startIfReady(state, io) {
  if (state.step !== 'waiting') return false;
  const proposal = state.proposals.get(0);
  const ready = io.candidate() !== void 0 || (proposal && io.isValid(proposal.value));
  if (!ready && othersAhead(state) === void 0) return false;
  enterView(state, othersAhead(state) ?? 0, io);
  return true;
}
function enterView(state, view, io) {
  state.view = view;
  state.step = 'propose';
  io.setTimer('propose', view);
}
function stepOnce(state, io) {
  if (state.step === 'waiting' || state.step === 'decided') return false;
  const ahead = othersAhead(state);
  if (ahead !== void 0 && ahead > state.view) {
    enterView(state, ahead, io);
    return true;
  }
  return (
    propose2(state, io) ||
    prevoteOnProposal(state, io) ||
    lockOnQuorum(state, io) ||
    precommitNil(state, io) ||
    armTimeouts(state, io)
  );
}
function propose2(state, io) {
  const mine = state.proposers[state.view % state.members] === io.self;
  if (!mine || state.step !== 'propose' || state.proposals.has(state.view)) return false;
  const value = state.valid?.value ?? io.candidate();
  if (value === void 0 || !once(state, `proposed/${state.view}`)) return false;
  const validView = state.valid?.view ?? null;
  io.send({ kind: 'propose', decision: state.name, view: state.view, validView, value });
  return true;
}
function prevoteOnProposal(state, io) {
  const proposal = state.proposals.get(state.view);
  if (state.step !== 'propose' || proposal === void 0) return false;
  const hash2 = hashOfValue(proposal.value);
  const { validView } = proposal;
  if (validView !== null && !hasQuorum(state, 'prevote', validView, hash2)) return false;
  if (!io.isValid(proposal.value)) return false;
  const free =
    state.locked === void 0 ||
    state.locked.hash === hash2 ||
    (validView !== null && state.locked.view <= validView && validView < state.view);
  vote2(state, 'prevote', free ? proposal.value : void 0, io);
  return true;
}
function lockOnQuorum(state, io) {
  const proposal = state.proposals.get(state.view);
  if (proposal === void 0 || state.step === 'propose') return false;
  const hash2 = hashOfValue(proposal.value);
  if (!hasQuorum(state, 'prevote', state.view, hash2) || !io.isValid(proposal.value)) return false;
  if (!once(state, `lock/${state.view}`)) return false;
  state.valid = { view: state.view, value: proposal.value };
  if (state.step === 'prevote') {
    state.locked = { view: state.view, hash: hash2 };
    vote2(state, 'precommit', proposal.value, io);
  }
  return true;
}
function precommitNil(state, io) {
  if (state.step !== 'prevote' || !hasQuorum(state, 'prevote', state.view, 'nil')) return false;
  vote2(state, 'precommit', void 0, io);
  return true;
}
function armTimeouts(state, io) {
  const quorum = threshold(state.members);
  for (const kind of ['prevote', 'precommit']) {
    if (kind === 'prevote' && state.step !== 'prevote') continue;
    if (count(state, kind, state.view) < quorum) continue;
    if (!once(state, `timeout/${kind}/${state.view}`)) continue;
    io.setTimer(kind, state.view);
    return true;
  }
  return false;
}
function decideIfPrecommitted(state) {
  if (state.step === 'decided') return false;
  for (const [view, proposal] of state.proposals) {
    if (!hasQuorum(state, 'precommit', view, hashOfValue(proposal.value))) continue;
    state.step = 'decided';
    state.decision = proposal.value;
    return true;
  }
  return false;
}
function othersAhead(state) {
  const speakers = /* @__PURE__ */ new Map();
  for (const key of state.votes.keys()) {
    const [, view, member] = key.split('/');
    if (Number(view) <= state.view && state.step !== 'waiting') continue;
    const known = speakers.get(Number(view)) ?? /* @__PURE__ */ new Set();
    speakers.set(Number(view), known.add(member));
  }
  const needed = byzantineMax(state.members) + 1;
  const views = [...speakers].filter(([, who]) => who.size >= needed).map(([view]) => view);
  return views.length === 0 ? void 0 : Math.max(...views);
}
function vote2(state, kind, value, io) {
  state.step = kind;
  if (kind === 'precommit' && value?.kind === 'set') state.precommittedSet = true;
  const hash2 = value === void 0 ? null : fromHex(hashOfValue(value));
  io.send({ kind, decision: state.name, view: state.view, value: hash2 });
}
function hasQuorum(state, kind, view, hash2) {
  return count(state, kind, view, hash2) >= threshold(state.members);
}
function count(state, kind, view, hash2) {
  let votes = 0;
  for (let member = 0; member < state.members; member++) {
    const vote3 = state.votes.get(`${kind}/${view}/${member}`);
    if (vote3 !== void 0 && (hash2 === void 0 || vote3 === hash2)) votes++;
  }
  return votes;
}
function once(state, rule) {
  if (state.done.has(rule)) return false;
  state.done.add(rule);
  return true;
}

// packages/secagg/src/state.ts
function createSession(config) {
  const members = config.members.length;
  assert(config.self < members, `member ${config.self} of ${members}`);
  return {
    config,
    phase: 'shares',
    inbox: /* @__PURE__ */ new Map(),
    unreachable: /* @__PURE__ */ new Set(),
    expired: /* @__PURE__ */ new Set(),
    maskSet: createDecision('mask-set', members, proposerOrder(config, 'mask-set')),
    survivors: createDecision('survivors', members, proposerOrder(config, 'survivors')),
    owners: [],
    chunkHashes: void 0,
    chunks: /* @__PURE__ */ new Map(),
    fetched: /* @__PURE__ */ new Set(),
    done: /* @__PURE__ */ new Set(),
    outcome: void 0,
  };
}
function proposerOrder(config, name2) {
  const rank = config.members.map((_, member) => {
    return { member, key: toHex(sha256(config.rosterDigest, utf8(`${name2}/${member}`))) };
  });
  return rank.sort((a, b) => compareText(a.key, b.key)).map(({ member }) => member);
}
function draftOf(state) {
  return {
    ...state,
    inbox: new Map(state.inbox),
    unreachable: new Set(state.unreachable),
    expired: new Set(state.expired),
    chunks: new Map(state.chunks),
    fetched: new Set(state.fetched),
    done: new Set(state.done),
    maskSet: copyDecision(state.maskSet),
    survivors: copyDecision(state.survivors),
    effects: [],
  };
}
var rosterSize = (d) => d.config.members.length;
var thresholdOf = (d) => threshold(rosterSize(d));
var survivorsMinOf = (d) => survivorsMin(rosterSize(d));
var byzantineMaxOf = (d) => byzantineMax(rosterSize(d));
function messageOf(d, kind, from) {
  return d.inbox.get(`${kind}/${from}`);
}
function store2(d, from, message) {
  const key = `${slotOf(message)}/${from}`;
  if (d.inbox.has(key)) return false;
  d.inbox.set(key, message);
  if (message.kind === 'propose' || message.kind === 'prevote' || message.kind === 'precommit') {
    receive(message.decision === 'mask-set' ? d.maskSet : d.survivors, from, message);
  }
  return true;
}
function broadcast(d, message) {
  if (!store2(d, d.config.self, message)) return;
  d.effects.push({ kind: 'broadcast', message });
}
function journal(d, record) {
  d.effects.push({ kind: 'journal', record });
}
function once2(d, what) {
  if (d.done.has(what)) return false;
  d.done.add(what);
  return true;
}
function enterPhase(d, phase) {
  d.phase = phase;
  d.effects.push({ kind: 'phase', phase });
}
function end(d, outcome) {
  if (d.outcome !== void 0) return;
  d.outcome = outcome;
  enterPhase(d, 'ended');
  d.effects.push({ kind: 'ended', outcome });
}
var maskSetOf = (d) => membersOf(d, d.maskSet);
var survivorsOf = (d) => membersOf(d, d.survivors);
function membersOf(d, { decision: decision2 }) {
  if (decision2?.kind !== 'set') return [];
  return fromBitmap(decision2.members, rosterSize(d)) ?? [];
}

// packages/secagg/src/phase-1-shares.ts
function startShares(d) {
  journal(d, { kind: 'entered' });
  d.effects.push({
    kind: 'set-timer',
    timer: 'shares',
    afterMs: d.config.timers.phaseMs,
  });
  broadcast(d, d.config.protection === 'none' ? EMPTY_BUNDLE : dealShares(d));
}
var EMPTY_BUNDLE = {
  kind: 'keyshare',
  selfMaskCommitment: new Uint8Array(32),
  dealt: [],
};
function dealShares(d) {
  const { config } = d;
  const { seed, self } = config;
  const selfShares = splitOwn(d, 'self-mask');
  const keyShares = splitOwn(d, 'mask-key');
  const encryptionKey = encryptionKeyOf(seed);
  const maskKey = maskKeyOf(seed);
  const dealt2 = config.members.map((_, holder) => {
    const shares = { selfMask: selfShares[holder], maskKey: keyShares[holder] };
    const edge = holder === self ? void 0 : edgeSeed(config, self, maskKey, holder);
    const key = holder === self ? void 0 : sealingKey(config, encryptionKey, self, holder);
    return {
      sealed: key
        ? seal(key, encodeCanonical(sealedSharesCodec, shares), config.rosterDigest)
        : NONE,
      selfMaskCommitment: shareCommitment(config, 'self-mask', self, holder, shares.selfMask),
      maskKeyCommitment: shareCommitment(config, 'mask-key', self, holder, shares.maskKey),
      edgeCommitment: edge ? edgeCommitment(config, edge.reveal()) : new Uint8Array(32),
    };
  });
  const commitment = selfMaskCommitment(config, selfMaskOf(seed).reveal());
  return { kind: 'keyshare', selfMaskCommitment: commitment, dealt: dealt2 };
}
var NONE = new Uint8Array(0);
function splitOwn(d, name2) {
  const { seed } = d.config;
  const plan = { threshold: thresholdOf(d), count: rosterSize(d) };
  const secret = name2 === 'self-mask' ? selfMaskOf(seed) : maskKeySeedOf(seed);
  const coefficients = coefficientsOf(seed, name2, (plan.threshold - 1) * 32);
  return splitSecret(secret.reveal(), plan, coefficients);
}
function isBundleSound(config, message) {
  if (config.protection === 'none') return message.dealt.length === 0;
  return message.dealt.length === config.members.length;
}
function bundleHolders(d) {
  return [...d.config.members.keys()].filter((m) => messageOf(d, 'keyshare', m) !== void 0);
}
function holdsMaskSet(d) {
  const members = maskSetOf(d);
  return members.length > 0 && members.every((m) => messageOf(d, 'keyshare', m) !== void 0);
}
function maskSetCandidate(d) {
  const holders = bundleHolders(d);
  if (holders.length < survivorsMinOf(d)) return void 0;
  const missing = [...d.config.members.keys()].filter(
    (m) => !holders.includes(m) && !d.unreachable.has(m),
  );
  if (missing.length > 0 && !d.expired.has('shares')) return void 0;
  return { kind: 'set', members: toBitmap(holders, rosterSize(d)) };
}
function isMaskSetValid(d, value) {
  if (value.kind !== 'set') return false;
  const members = fromBitmap(value.members, rosterSize(d));
  if (members === void 0 || members.length < survivorsMinOf(d)) return false;
  return members.every((member) => messageOf(d, 'keyshare', member) !== void 0);
}

// packages/secagg/src/edges.ts
function isEdgeIntact(d, a, b) {
  const mine = messageOf(d, 'keyshare', a)?.dealt[b]?.edgeCommitment;
  const theirs = messageOf(d, 'keyshare', b)?.dealt[a]?.edgeCommitment;
  if (mine === void 0 || theirs === void 0) return false;
  return equalBytes(mine, theirs) && mine.some((byte) => byte !== 0);
}
var edgeSign = (member, other) => (member < other ? 1 : -1);

// packages/secagg/src/owners.ts
var chunksOf = (shape) => chunkLayout(shape.length, shape.bits, { chunkBytes: shape.chunkBytes });
function placeChunks(d) {
  const members = maskSetOf(d);
  const full = members.filter((member) => !d.config.members[member].light);
  const eligible = full.length > 0 ? full : members;
  const label2 = utf8(`${SECAGG_LABEL}/chunk-owner`);
  return Array.from({ length: chunksOf(d.config.shape).count }, (_, chunk) => {
    const ranked = eligible.map((member) => {
      const key = sha256(label2, d.config.rosterDigest, u32be(chunk), u32be(member));
      return { member, key: toHex(key) };
    });
    ranked.sort((a, b) => compareText(a.key, b.key));
    return ranked.slice(0, d.config.replication).map(({ member }) => member);
  });
}
function ownedChunks(d, member) {
  return [...d.owners.keys()].filter((chunk) => d.owners[chunk].includes(member));
}

// packages/secagg/src/phase-2-chunks.ts
function enterChunks(d) {
  enterPhase(d, 'chunks');
  d.owners = placeChunks(d);
  const { phaseMs } = d.config.timers;
  d.effects.push({ kind: 'set-timer', timer: 'chunks', afterMs: 2 * phaseMs });
  if (!maskSetOf(d).includes(d.config.self)) return;
  const { input } = d.config;
  d.effects.push({ kind: 'compute', compute: { task: 'mask', input, terms: maskTerms(d) } });
}
function maskTerms(d) {
  const { config } = d;
  const { self, seed } = config;
  if (config.protection === 'none') return [];
  const key = maskKeyOf(seed);
  const terms = [{ seed: selfMaskOf(seed), sign: 1 }];
  for (const other of maskSetOf(d)) {
    if (other === self || !isEdgeIntact(d, self, other)) continue;
    const edge = edgeSeed(config, self, key, other);
    assert(edge !== void 0, `edge ${self}\u2013${other} is intact but has no seed`);
    terms.push({ seed: edge, sign: edgeSign(self, other) });
  }
  return terms;
}
function onMasked(d, chunkHashes) {
  if (!maskSetOf(d).includes(d.config.self)) return;
  if (d.owners.length === 0 || d.chunkHashes !== void 0) return;
  assert(chunkHashes.length === d.owners.length, 'masked chunks do not fit the layout');
  const { self } = d.config;
  d.chunkHashes = chunkHashes;
  journal(d, { kind: 'masked' });
  d.done.add('masked');
  broadcast(d, { kind: 'commit', root: merkleRoot(chunkHashes) });
  for (let step3 = 0; step3 < d.owners.length; step3++) {
    const chunk = (step3 + self) % d.owners.length;
    const proof = merkleProof(chunkHashes, chunk);
    for (const to of d.owners[chunk]) {
      if (to !== self) d.effects.push({ kind: 'send-chunk', to, chunk, proof });
      else d.chunks.set(`${chunk}/${self}`, { hash: chunkHashes[chunk], proof, verified: true });
    }
  }
}
function onChunk(d, event) {
  const { from, chunk, hash: hash2, proof } = event;
  if (chunk >= chunksOf(d.config.shape).count || d.chunks.get(`${chunk}/${from}`)?.verified) return;
  d.chunks.set(`${chunk}/${from}`, { hash: hash2, proof, verified: false });
}
function verifyChunks(d) {
  for (const [key, held] of d.chunks) {
    if (held.verified) continue;
    const [chunk, from] = key.split('/').map(Number);
    const commit = messageOf(d, 'commit', from);
    if (commit === void 0) continue;
    const { hash: hash2, proof } = held;
    const fits = verifyMerkleProof(commit.root, hash2, chunk, d.owners.length, proof);
    if (fits) d.chunks.set(key, { hash: hash2, proof, verified: true });
    else d.chunks.delete(key);
  }
}
function holdsAll(d, owned, from) {
  return owned.every((chunk) => d.chunks.get(`${chunk}/${from}`)?.verified === true);
}
function sendReceipts(d) {
  const owned = ownedChunks(d, d.config.self);
  if (owned.length === 0) return;
  const members = maskSetOf(d);
  const complete = members.filter((member) => holdsAll(d, owned, member));
  const waiting = members.some((m) => !complete.includes(m) && !d.unreachable.has(m));
  if (waiting && !d.expired.has('chunks')) return;
  const contributors = toBitmap(complete, rosterSize(d));
  const last = lastReceipt(d, d.config.self);
  const revision = last === void 0 ? 0 : last.revision + 1;
  if (revision > 7 || !once2(d, `receipt/${complete.join(',')}`)) return;
  broadcast(d, { kind: 'receipt', revision, contributors });
}
function lastReceipt(d, owner) {
  for (let revision = 7; revision >= 0; revision--) {
    const receipt = d.inbox.get(`receipt/${revision}/${owner}`);
    if (receipt?.kind === 'receipt') return receipt;
  }
  return void 0;
}

// packages/secagg/src/phase-3-decide.ts
function receiptsOf(d) {
  const receipts = /* @__PURE__ */ new Map();
  for (const owner of maskSetOf(d)) {
    const receipt = lastReceipt(d, owner);
    const members = receipt && fromBitmap(receipt.contributors, rosterSize(d));
    if (members !== void 0) receipts.set(owner, new Set(members));
  }
  return receipts;
}
function isSummable(d, receipts, members) {
  return d.owners.every((owners) =>
    owners.some((owner) => members.every((m) => receipts.get(owner)?.has(m))),
  );
}
function heldByAll(d, receipts, heeds) {
  return maskSetOf(d).filter((member) =>
    d.owners.every((owners) => {
      const heeded = owners.filter(heeds);
      return heeded.length > 0 && heeded.every((owner) => receipts.get(owner)?.has(member));
    }),
  );
}
function largestSummable(d, receipts) {
  let chosen = maskSetOf(d);
  for (const owners of d.owners) {
    const held = owners.map((owner) => chosen.filter((m) => receipts.get(owner)?.has(m)));
    chosen = held.reduce((best, next) => (next.length > best.length ? next : best), []);
  }
  return chosen;
}
function chooseSurvivors(d) {
  const receipts = receiptsOf(d);
  const isHeeded = (owner) => receipts.has(owner) && !d.unreachable.has(owner);
  const safe = heldByAll(d, receipts, isHeeded);
  const largest = largestSummable(d, receipts);
  const cautious = safe.length >= survivorsMinOf(d) && isSummable(d, receipts, safe);
  return cautious && largest.length - safe.length <= byzantineMaxOf(d) ? safe : largest;
}
function survivorsCandidate(d) {
  if (d.owners.length === 0) return void 0;
  const timeIsUp = d.expired.has('survivors');
  const complete = heldByAll(d, receiptsOf(d), (owner) => !d.unreachable.has(owner));
  const waiting = maskSetOf(d).some((m) => !complete.includes(m) && !d.unreachable.has(m));
  if (waiting && !timeIsUp) return void 0;
  const members = chooseSurvivors(d);
  if (members.length >= survivorsMinOf(d)) {
    return { kind: 'set', members: toBitmap(members, rosterSize(d)) };
  }
  return timeIsUp ? { kind: 'abort' } : void 0;
}
function areSurvivorsValid(d, value) {
  if (d.owners.length === 0) return false;
  if (value.kind === 'abort') return survivorsCandidate(d)?.kind === 'abort';
  const members = fromBitmap(value.members, rosterSize(d));
  if (members === void 0 || members.length < survivorsMinOf(d)) return false;
  const mask = new Set(maskSetOf(d));
  return members.every((member) => mask.has(member)) && isSummable(d, receiptsOf(d), members);
}
function armSurvivorsTimer(d) {
  const afterMs = 2.5 * d.config.timers.phaseMs;
  d.effects.push({ kind: 'set-timer', timer: 'survivors', afterMs });
}

// packages/secagg/src/phase-4-sums.ts
function enterSums(d) {
  enterPhase(d, 'sums');
  const members = survivorsOf(d);
  const chunks = ownedChunks(d, d.config.self).filter((chunk) =>
    members.every((member) => holdsAll(d, [chunk], member)),
  );
  if (chunks.length > 0) {
    d.effects.push({ kind: 'compute', compute: { task: 'sum', chunks, members } });
  }
}
function onSummed(d, sums) {
  if (d.phase !== 'sums' && d.phase !== 'unmask') return;
  broadcast(d, { kind: 'sums', sums });
  for (const { chunk } of sums) d.fetched.add(chunk);
}
function sumOf(d, chunk) {
  const found = [];
  for (const owner of d.owners[chunk]) {
    const sum = messageOf(d, 'sums', owner)?.sums.find((entry) => entry.chunk === chunk);
    if (sum !== void 0) found.push({ owner, hash: sum.hash });
  }
  const first = found[0];
  if (first === void 0) return void 0;
  const consistent = found.every(({ hash: hash2 }) => equalBytes(hash2, first.hash));
  return { hash: first.hash, owners: found.map(({ owner }) => owner), consistent };
}
function areSumsCommitted(d) {
  const sums = d.owners.map((_, chunk) => sumOf(d, chunk));
  if (sums.some((sum) => sum !== void 0 && !sum.consistent)) {
    end(d, { kind: 'burnt', reason: 'sum-mismatch' });
    return false;
  }
  return sums.every((sum) => sum !== void 0);
}
function fetchSums(d) {
  for (const chunk of d.owners.keys()) {
    const sum = sumOf(d, chunk);
    if (d.fetched.has(chunk) || sum === void 0) continue;
    const from = sum.owners.filter((owner) => owner !== d.config.self);
    const asked = `fetch/${chunk}/${toHex(sum.hash)}`;
    if (d.done.has(asked)) continue;
    d.done.add(asked);
    d.effects.push({ kind: 'fetch-sum', chunk, hash: sum.hash, from });
  }
}
var isEverySumHere = (d) => maskSetOf(d).length > 0 && d.fetched.size === d.owners.length;

// packages/secagg/src/phase-5-unmask.ts
function enterUnmask(d) {
  enterPhase(d, 'unmask');
  const { self, protection, timers } = d.config;
  const survivors = survivorsOf(d);
  d.effects.push({ kind: 'set-timer', timer: 'unmask/0', afterMs: timers.phaseMs });
  if (d.done.has('abandoned')) return;
  journal(d, { kind: 'reveal', survivors: toBitmap(survivors, rosterSize(d)) });
  if (protection === 'double-masking' && survivors.includes(self)) broadcast(d, reveal(d));
}
var droppedOf = (d) => {
  const survivors = survivorsOf(d);
  return maskSetOf(d).filter((member) => !survivors.includes(member));
};
var edgesToReveal = (d, member) => droppedOf(d).filter((other) => isEdgeIntact(d, member, other));
function reveal(d) {
  const { config } = d;
  const key = maskKeyOf(config.seed);
  const edges = edgesToReveal(d, config.self).flatMap((other) => {
    const seed = edgeSeed(config, config.self, key, other);
    return seed === void 0 ? [] : [{ with: other, seed: seed.reveal() }];
  });
  return { kind: 'unmask', selfMask: selfMaskOf(config.seed).reveal(), edges };
}
function directReveal(d, member) {
  const message = messageOf(d, 'unmask', member);
  const bundle = messageOf(d, 'keyshare', member);
  if (message === void 0 || bundle === void 0) return void 0;
  const opened = selfMaskCommitment(d.config, message.selfMask);
  if (!equalBytes(opened, bundle.selfMaskCommitment)) return void 0;
  const opens = edgesToReveal(d, member).every((other) => {
    const edge = message.edges.find((entry) => entry.with === other);
    const commitment = bundle.dealt[other].edgeCommitment;
    return edge && equalBytes(edgeCommitment(d.config, edge.seed), commitment);
  });
  return opens ? message : void 0;
}
var silentSurvivors = (d) => survivorsOf(d).filter((member) => directReveal(d, member) === void 0);
function sendShares(d) {
  if (d.done.has('abandoned')) return;
  const round = [...Array(8).keys()].filter((i) => d.expired.has(`unmask/${i}`)).length;
  const silent = silentSurvivors(d).filter((m) => round > 0 || d.unreachable.has(m));
  const lost = silent.length === 0 ? [] : droppedOf(d);
  const revision = [...Array(8).keys()].find((i) => !d.inbox.has(`shares/${i}/${d.config.self}`));
  const items = [];
  if (revision === void 0) return;
  const add = (kind, of) => {
    const share = once2(d, `share/${kind}/${of}`) ? heldShares(d, of) : void 0;
    if (share)
      items.push({ kind, of, share: share[kind === 'self-mask' ? 'selfMask' : 'maskKey'] });
  };
  for (const of of silent) add('self-mask', of);
  for (const of of lost) add('mask-key', of);
  if (d.config.canary === 'never-both') for (const of of silent) add('mask-key', of);
  if (items.length > 0) broadcast(d, { kind: 'shares', revision, items });
}
function heldShares(d, dealer) {
  const { config } = d;
  if (dealer === config.self) return ownShares(d);
  const entry = messageOf(d, 'keyshare', dealer)?.dealt[config.self];
  const key = sealingKey(config, encryptionKeyOf(config.seed), dealer, config.self);
  const plain2 = entry && key && open(key, entry.sealed, config.rosterDigest);
  if (!plain2) return void 0;
  try {
    const shares = decodeCanonical(sealedSharesCodec, plain2, LIMITS.controlBytesMax);
    const sound =
      isShareSound(d, 'self-mask', dealer, config.self, shares.selfMask) &&
      isShareSound(d, 'mask-key', dealer, config.self, shares.maskKey);
    return sound ? shares : void 0;
  } catch {
    return void 0;
  }
}
function ownShares(d) {
  const { self } = d.config;
  const [selfMask, maskKey] = [splitOwn(d, 'self-mask'), splitOwn(d, 'mask-key')];
  return { selfMask: selfMask[self], maskKey: maskKey[self] };
}
function isShareSound(d, kind, dealer, holder, share) {
  const entry = messageOf(d, 'keyshare', dealer)?.dealt[holder];
  if (entry === void 0) return false;
  const commitment = kind === 'self-mask' ? entry.selfMaskCommitment : entry.maskKeyCommitment;
  return equalBytes(shareCommitment(d.config, kind, dealer, holder, share), commitment);
}
function recover(d, kind, of) {
  const shares = /* @__PURE__ */ new Map();
  for (const [key, message] of d.inbox) {
    if (message.kind !== 'shares') continue;
    const holder = Number(key.split('/').at(-1));
    for (const item of message.items) {
      if (item.kind !== kind || item.of !== of) continue;
      if (isShareSound(d, kind, of, holder, item.share)) shares.set(holder, item.share);
    }
  }
  if (shares.size < thresholdOf(d)) return void 0;
  const points = [...shares].map(([holder, share]) => ({ x: holder + 1, share }));
  return combineShares(points, thresholdOf(d));
}
function remainingMasks(d) {
  const terms = [];
  for (const member of survivorsOf(d)) {
    const direct = directReveal(d, member);
    const own = direct?.selfMask ?? recover(d, 'self-mask', member);
    if (own === void 0) return 'missing';
    const commitment = messageOf(d, 'keyshare', member).selfMaskCommitment;
    if (!equalBytes(selfMaskCommitment(d.config, own), commitment)) return 'inconsistent';
    terms.push({ seed: new Secret(own), sign: -1 });
    for (const other of edgesToReveal(d, member)) {
      const seed =
        direct?.edges.find((edge) => edge.with === other)?.seed ?? recoverEdge(d, other, member);
      if (seed === void 0 || seed === 'inconsistent') return seed ?? 'missing';
      terms.push({ seed: new Secret(seed), sign: edgeSign(member, other) === 1 ? -1 : 1 });
    }
  }
  return { terms };
}
function recoverEdge(d, dropped, survivor) {
  const seed = recover(d, 'mask-key', dropped);
  if (seed === void 0) return void 0;
  const key = agreementKeyFromSeed(seed);
  const expected = d.config.members[dropped].hello.maskKey;
  if (!equalBytes(key.publicKey, expected)) return 'inconsistent';
  return edgeSeed(d.config, dropped, key, survivor)?.reveal() ?? 'inconsistent';
}
function advanceUnmask(d) {
  fetchSums(d);
  const survivors = survivorsOf(d).length;
  if (d.config.protection === 'none') {
    if (isEverySumHere(d)) openSum(d, [], survivors);
    return void 0;
  }
  sendShares(d);
  if (!isEverySumHere(d) || d.done.has('unmask')) return void 0;
  const masks = remainingMasks(d);
  if (masks === 'inconsistent') return masks;
  if (masks !== 'missing') openSum(d, masks.terms, survivors);
  return void 0;
}
function openSum(d, terms, survivors) {
  if (!once2(d, 'unmask')) return;
  d.effects.push({ kind: 'compute', compute: { task: 'unmask', terms, survivors } });
}

// packages/secagg/src/session.ts
function step(state, event) {
  if (state.outcome !== void 0) return { state, effects: [] };
  const d = draftOf(state);
  handle(d, event);
  if (d.outcome === void 0) advance2(d);
  const { effects, ...next } = d;
  return { state: next, effects };
}
function handle(d, event) {
  switch (event.kind) {
    case 'start':
      if (!once2(d, 'start')) return;
      enterPhase(d, 'shares');
      armStall(d, 'start');
      startShares(d);
      return;
    case 'message':
      if (isWellFormed(d, event.from, event.message)) store2(d, event.from, event.message);
      return;
    case 'timer':
      onTimer(d, event.timer);
      return;
    case 'reachable':
      if (event.reachable) d.unreachable.delete(event.member);
      else d.unreachable.add(event.member);
      return;
    case 'masked':
      onMasked(d, event.chunkHashes);
      return;
    case 'chunk-received':
      onChunk(d, event);
      return;
    case 'summed':
      onSummed(d, event.sums);
      return;
    case 'sum-fetched':
      if (event.chunk < d.owners.length) d.fetched.add(event.chunk);
      return;
    case 'sum-missing':
      askAgainLater(d, event.chunk);
      return;
    case 'unmasked':
      if (!d.done.has('unmask')) return;
      if (event.inRange) {
        end(d, { kind: 'sum', survivors: survivorsOf(d), result: event.result });
      } else end(d, { kind: 'burnt', reason: 'sum-out-of-range' });
      return;
    default:
      unreachable(event);
  }
}
function askAgainLater(d, chunk) {
  const afterMs = d.config.timers.phaseMs / 4;
  d.effects.push({ kind: 'set-timer', timer: `refetch/${chunk}`, afterMs });
}
function forgetFetch(d, chunk) {
  for (const asked of d.done) if (asked.startsWith(`fetch/${chunk}/`)) d.done.delete(asked);
}
function isWellFormed(d, from, message) {
  if (from === d.config.self) return false;
  if (message.kind === 'keyshare') return isBundleSound(d.config, message);
  return true;
}
function advance2(d) {
  advance(d.maskSet, ioOf(d, d.maskSet));
  if (d.phase === 'shares' && holdsMaskSet(d)) {
    enterChunks(d);
    armStall(d, 'chunks');
    armSurvivorsTimer(d);
  }
  if (d.owners.length > 0) {
    verifyChunks(d);
    if (d.survivors.decision === void 0) sendReceipts(d);
    advance(d.survivors, ioOf(d, d.survivors));
    if (d.phase === 'chunks' && d.survivors.step !== 'waiting') enterPhase(d, 'decide');
    afterDecision(d);
  }
  hurryWhenQuorumIsLost(d);
  leaveWhenAbandoned(d);
}
function afterDecision(d) {
  const { decision: decision2 } = d.survivors;
  if (decision2 === void 0 || d.outcome !== void 0) return;
  if (decision2.kind === 'abort') {
    end(d, { kind: 'retry', reason: 'abort-decided' });
    return;
  }
  if (d.phase === 'decide') {
    armStall(d, 'decided');
    enterSums(d);
  }
  const committed = areSumsCommitted(d);
  if (d.phase === 'sums' && committed) enterUnmask(d);
  if (d.phase === 'unmask' && advanceUnmask(d) === 'inconsistent') {
    end(d, { kind: 'burnt', reason: 'shares-inconsistent' });
  }
}
function ioOf(d, decision2) {
  const { decideMs } = d.config.timers;
  const isMaskSet = decision2.name === 'mask-set';
  return {
    self: d.config.self,
    candidate: () => (isMaskSet ? maskSetCandidate(d) : survivorsCandidate(d)),
    isValid: (value) => (isMaskSet ? isMaskSetValid(d, value) : areSurvivorsValid(d, value)),
    send: (message) => {
      if (d.done.has('abandoned')) return;
      if (message.kind !== 'propose') {
        const value = message.value === null ? 'nil' : toHex(message.value);
        const slot = `${message.kind}/${message.decision}/${message.view}`;
        journal(d, { kind: 'vote', slot, value });
      }
      broadcast(d, message);
    },
    setTimer: (timeoutStep, view) => {
      const timer = `${decision2.name}/${timeoutStep}/${view}`;
      d.effects.push({ kind: 'set-timer', timer, afterMs: decideMs * (1 + view / 2) });
    },
  };
}
function onTimer(d, timer) {
  d.expired.add(timer);
  const [first, second, view] = timer.split('/');
  if (first === 'stall') onStall(d, second ?? '');
  else if (first === 'burn') onBurn(d, second ?? '');
  else if (first === 'refetch') forgetFetch(d, Number(second));
  else if (first === 'unmask') rearmUnmask(d, Number(second));
  else if (first === 'mask-set' || first === 'survivors') {
    if (view === void 0) return;
    const decision2 = first === 'mask-set' ? d.maskSet : d.survivors;
    timeout(decision2, second, Number(view), ioOf(d, decision2));
  }
}
function rearmUnmask(d, round) {
  if (round >= 7) return;
  const afterMs = d.config.timers.phaseMs;
  d.effects.push({ kind: 'set-timer', timer: `unmask/${round + 1}`, afterMs });
}
var STALL_PHASES = 8;
function armStall(d, stage, phases = STALL_PHASES) {
  const afterMs = phases * d.config.timers.phaseMs;
  d.effects.push({ kind: 'set-timer', timer: `stall/${stage}`, afterMs });
}
function hurryWhenQuorumIsLost(d) {
  const alive = rosterSize(d) - d.unreachable.size;
  if (d.outcome !== void 0 || alive >= thresholdOf(d) || !once2(d, 'hurry')) return;
  armStall(d, 'hurry', 1);
}
function onStall(d, stage) {
  if (d.outcome !== void 0 || !isStuckIn(d, stage)) return;
  if (!d.done.has('masked')) {
    abandon(d);
    end(d, { kind: 'retry', reason: 'never-masked' });
    return;
  }
  if (d.survivors.decision === void 0) abandon(d);
  if (once2(d, `burn/${stage}`)) {
    const afterMs = STALL_PHASES * 0.5 * d.config.timers.phaseMs;
    d.effects.push({ kind: 'set-timer', timer: `burn/${stage}`, afterMs });
  }
}
function onBurn(d, stage) {
  const gaveUp = d.done.has('abandoned') && d.survivors.decision === void 0;
  if (isStuckIn(d, stage) || gaveUp) end(d, { kind: 'burnt', reason: 'quorum-lost' });
  else d.done.delete(`burn/${stage}`);
}
function isStuckIn(d, stage) {
  if (stage === 'start') return d.phase === 'shares';
  if (stage === 'chunks') return d.survivors.decision === void 0;
  if (stage === 'decided') return true;
  if (rosterSize(d) - d.unreachable.size < thresholdOf(d)) return true;
  d.done.delete('hurry');
  return false;
}
function abandon(d) {
  if (d.survivors.precommittedSet || !once2(d, 'abandoned')) return;
  journal(d, { kind: 'abandon' });
  broadcast(d, { kind: 'abandon' });
}
function leaveWhenAbandoned(d) {
  if (d.outcome !== void 0 || d.survivors.decision !== void 0) return;
  const members = [...d.config.members.keys()];
  const count2 = () => members.filter((m) => messageOf(d, 'abandon', m) !== void 0).length;
  if (count2() > byzantineMaxOf(d)) abandon(d);
  if (count2() < abandonsMin(rosterSize(d))) return;
  end(d, { kind: 'retry', reason: 'abandoned' });
}

// packages/federation/src/codec.ts
var VALUE_BITS_MAX = 18;
var VALUE_BITS_MIN = 5;
function updateCodec({ bits, peersMax, clippingNorm }) {
  assert(Number.isInteger(bits) && bits >= 8 && bits <= 32, `ring bits: ${bits}`);
  assert(Number.isInteger(peersMax) && peersMax >= 1 && peersMax < 2 ** 31, `peers: ${peersMax}`);
  assert(Number.isFinite(clippingNorm) && clippingNorm > 0, `clipping norm: ${clippingNorm}`);
  const ceilLog22 = 32 - Math.clz32(peersMax - 1);
  const valueBits = Math.min(VALUE_BITS_MAX, bits - ceilLog22);
  if (valueBits < VALUE_BITS_MIN) {
    throw new ProtocolError('codec', `${bits} ring bits are too few for ${peersMax} peers`);
  }
  const valueMax = 2 ** valueBits - 1;
  const step3 = (2 * clippingNorm) / valueMax;
  return { bits, peersMax, clippingNorm, valueBits, valueMax, range: clippingNorm, step: step3 };
}
function quantise(update, codec, uniform) {
  assert(
    uniform.length === 4 * update.length,
    `${uniform.length} bytes for ${update.length} values`,
  );
  const { range, valueMax } = codec;
  const scale = valueMax / (2 * range);
  const random = new DataView(uniform.buffer, uniform.byteOffset, uniform.length);
  const out = new Uint32Array(update.length);
  for (let i = 0; i < update.length; i++) {
    const value = update[i];
    if (!Number.isFinite(value)) {
      throw new ProtocolError('not-finite', `coordinate ${i} of the update is ${value}`);
    }
    const place = (Math.min(range, Math.max(-range, value)) + range) * scale;
    const point = Math.floor(place + random.getUint32(4 * i, true) / 2 ** 32);
    out[i] = Math.min(valueMax, point);
  }
  return out;
}
function dequantiseSum(sum, count2, codec) {
  checkSums(sum, count2, codec);
  const { step: step3, range } = codec;
  const mean = new Float64Array(sum.length);
  for (let i = 0; i < sum.length; i++) mean[i] = (sum[i] / count2) * step3 - range;
  return mean;
}
function checkSums(sums, count2, codec) {
  const legal = Number.isInteger(count2) && count2 >= 1 && count2 <= codec.peersMax;
  assert(legal, `${count2} contributors, at most ${codec.peersMax}`);
  const sumMax = count2 * codec.valueMax;
  for (let i = 0; i < sums.length; i++) {
    if (sums[i] > sumMax) {
      throw new ProtocolError('sum-out-of-range', `sum ${sums[i]} of coordinate ${i} > ${sumMax}`);
    }
  }
}

// packages/federation/src/job-state.ts
var MAGIC = 21648211;
var HEADER_BYTES = 20;
var MOMENTS_MAX = 2;
assert(
  new Uint8Array(new Uint32Array([1]).buffer)[0] === 1,
  'a big-endian host cannot hash states',
);
function encodeState({ round, model, trainable, moments }) {
  const fits = moments.every((moment) => moment.length === trainable);
  assert(fits && trainable <= model.length, 'moments and model differ in length');
  const vectors = [model, ...moments];
  const floats = vectors.reduce((sum, vector) => sum + vector.length, 0);
  const out = new Uint8Array(HEADER_BYTES + 4 * floats);
  const header = new DataView(out.buffer);
  for (const [i, word] of [MAGIC, round, model.length, trainable, moments.length].entries()) {
    assert(Number.isInteger(word) && word >= 0 && word < 2 ** 32, `state header: ${word}`);
    header.setUint32(4 * i, word, true);
  }
  let at = HEADER_BYTES;
  for (const vector of vectors) {
    checkFinite(vector);
    out.set(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength), at);
    at += vector.byteLength;
  }
  return out;
}
function decodeState(bytes2) {
  if (bytes2.length < HEADER_BYTES) throw new ProtocolError('state', 'no header');
  const header = new DataView(bytes2.buffer, bytes2.byteOffset, HEADER_BYTES);
  const [magic, round, length, trainable, count2] = [0, 4, 8, 12, 16].map((at) =>
    header.getUint32(at, true),
  );
  if (magic !== MAGIC) throw new ProtocolError('state', 'not a job state of this version');
  if (length > LIMITS.vectorLengthMax || trainable > length || count2 > MOMENTS_MAX) {
    throw new ProtocolError('state', `lengths ${length}, ${trainable}, ${count2} are not possible`);
  }
  const expected = HEADER_BYTES + 4 * (length + count2 * trainable);
  if (bytes2.length !== expected) {
    throw new ProtocolError('state', `${bytes2.length} bytes, expected ${expected}`);
  }
  const floats = new Float32Array(bytes2.slice(HEADER_BYTES).buffer);
  checkFinite(floats);
  const moments = Array.from({ length: count2 }, (_, i) => {
    const from = length + i * trainable;
    return floats.subarray(from, from + trainable);
  });
  return { round, model: floats.subarray(0, length), trainable, moments };
}
function checkFinite(vector) {
  for (let i = 0; i < vector.length; i++) {
    if (!Number.isFinite(vector[i])) {
      throw new ProtocolError('state', `coordinate ${i} is not finite`);
    }
  }
}

// packages/federation/src/metrics.ts
var METRIC_WORDS = 3;
var LOSS_MAX = 16;
var examplesMax = (codec) => Math.floor(codec.valueMax / LOSS_MAX);
function encodeMetrics(metrics, codec) {
  const { lossSum, correct, examples } = metrics;
  const cap = examplesMax(codec);
  assert(Number.isInteger(examples) && examples >= 0 && examples <= cap, `examples: ${examples}`);
  assert(Number.isInteger(correct) && correct >= 0 && correct <= examples, `correct: ${correct}`);
  const worst = LOSS_MAX * examples;
  const loss = Number.isFinite(lossSum) ? Math.min(worst, Math.max(0, lossSum)) : worst;
  return Uint32Array.of(Math.round(loss), correct, examples);
}
function decodeMetrics(sums, count2, codec) {
  assert(sums.length === METRIC_WORDS, `${sums.length} metric words`);
  checkSums(sums, count2, codec);
  return { lossSum: sums[0], correct: sums[1], examples: sums[2] };
}

// packages/federation/src/server-optimizer.ts
var FEDAVG = { kind: 'fedavg', learningRate: 1 };
function initialState(model, trainable, optimizer) {
  assert(trainable >= 0 && trainable <= model.length, `trainable: ${trainable}`);
  const zeros = () => new Float32Array(trainable);
  switch (optimizer.kind) {
    case 'fedavg':
      return { round: 0, model, trainable, moments: [] };
    case 'fedavgm':
      return { round: 0, model, trainable, moments: [zeros()] };
    case 'fedadam': {
      const second = zeros().fill(optimizer.tau * optimizer.tau);
      return { round: 0, model, trainable, moments: [zeros(), second] };
    }
    default:
      return unreachable(optimizer);
  }
}
function applyMean(state, mean, optimizer = FEDAVG) {
  const { model, trainable } = state;
  assert(mean.length === model.length, `mean of ${mean.length} for a model of ${model.length}`);
  const next = new Float32Array(model.length);
  const moments = step2(next, state, mean, optimizer);
  for (let i = trainable; i < model.length; i++) next[i] = model[i] + mean[i];
  return { round: state.round + 1, model: next, trainable, moments };
}
function step2(next, { model, trainable, moments }, mean, optimizer) {
  const rate = optimizer.learningRate;
  switch (optimizer.kind) {
    case 'fedavg': {
      assert(moments.length === 0, 'state of another optimiser');
      for (let i = 0; i < trainable; i++) next[i] = model[i] + rate * mean[i];
      return [];
    }
    case 'fedavgm': {
      const [before] = moments;
      assert(before !== void 0 && moments.length === 1, 'state of another optimiser');
      const velocity = new Float32Array(trainable);
      for (let i = 0; i < trainable; i++) {
        velocity[i] = optimizer.momentum * before[i] + mean[i];
        next[i] = model[i] + rate * velocity[i];
      }
      return [velocity];
    }
    case 'fedadam': {
      const [firstBefore, secondBefore] = moments;
      const both = firstBefore !== void 0 && secondBefore !== void 0;
      assert(both && moments.length === 2, 'state of another optimiser');
      const { beta1, beta2, tau } = optimizer;
      const [first, second] = [new Float32Array(trainable), new Float32Array(trainable)];
      for (let i = 0; i < trainable; i++) {
        const delta = mean[i];
        first[i] = beta1 * firstBefore[i] + (1 - beta1) * delta;
        second[i] = beta2 * secondBefore[i] + (1 - beta2) * (delta * delta);
        next[i] = model[i] + (rate * first[i]) / (Math.sqrt(second[i]) + tau);
      }
      return [first, second];
    }
    default:
      return unreachable(optimizer);
  }
}

// protocols/rounds/src/common.ts
var peerCodec = mapped(
  bytes(32),
  (key) => peerIdOf(key),
  (peer) => publicKeyOf(peer),
);
function hashCodec() {
  return mapped(
    bytes(32),
    (value) => toHex(value),
    (value) => fromHex(value),
  );
}
var signatureCodec = bytes(64);

// protocols/rounds/src/version.ts
var ROUNDS_VERSION = 1;
var ROUNDS_LABEL = `starling/rounds/${ROUNDS_VERSION}`;

// protocols/rounds/src/certificate.ts
var statementCodec = struct({
  jobId: hashCodec(),
  /** 1 for the first round; the launched model is the state of round 0. */
  round: u32(1e6),
  restarts: u32(1e3),
  attempt: u32(1e3),
  /** The certificate before, or the job's id for round 1. */
  parent: hashCodec(),
  stateHash: hashCodec(),
  roster: list(peerCodec, LIMITS.cellPeersMax),
  /** One bit per member of `roster`, least significant bit of byte 0 first. */
  survivors: bytes(1, LIMITS.cellPeersMax / 8),
  /** Of the state before this round, summed over the survivors' validation splits (decision 14b). */
  metrics: struct({ lossSum: u32(), correct: u32(), examples: u32() }),
});
var certificateCodec = struct({
  statement: statementCodec,
  signatures: list(
    struct({ member: u32(LIMITS.cellPeersMax - 1), signature: signatureCodec }),
    LIMITS.cellPeersMax,
  ),
});
var proofCodec = struct({
  manifest: bytes(1, 16 * 1024),
  certificates: list(certificateCodec, 65536),
});
var PROOF_BYTES_MAX = 256 * 1024 * 1024;
var signedBytes = (statement) =>
  concatBytes(utf8(`${ROUNDS_LABEL}/certificate`), encodeCanonical(statementCodec, statement));
var statementHash = (statement) => hashHex(signedBytes(statement));
var signStatement = (statement, key) => key.sign(signedBytes(statement));
var verifyStatement = (statement, signer, signature) =>
  verify(signer, signedBytes(statement), signature);

// protocols/rounds/src/envelope.ts
var join = struct({
  round: u32(1e6),
  restarts: u32(1e3),
  parent: hashCodec(),
  stateHash: hashCodec(),
  /** The session's public keys; opaque here. */
  hello: bytes(0, 256),
  /** A light peer contributes but owns no chunk (decision 14). */
  light: u32(1),
});
var roster = struct({
  /** SHA-256 of the members' JOIN envelopes, in order of the members' peer ids. */
  joins: list(hashCodec(), LIMITS.cellPeersMax),
});
var bodyCodec = union({
  join,
  roster,
  /** A message of the secure aggregation, in its own protocol's encoding. */
  session: struct({ message: bytes(1, LIMITS.controlBytesMax - 512) }),
  /** The sender's signature under the round's certificate. */
  final: struct({ statement: hashCodec(), signature: signatureCodec }),
});
var envelopeCodec = struct({
  roundId: hashCodec(),
  attempt: u32(1e3),
  /** Digest of the roster the sender took part in; null for JOIN and ROSTER. */
  roster: nullable(bytes(32)),
  sender: peerCodec,
  body: bytes(1, LIMITS.controlBytesMax - 256),
  signature: signatureCodec,
});
function signedBytes2({ roundId, attempt, roster: roster2 }, body) {
  const none = new Uint8Array(32);
  const label2 = utf8(`${ROUNDS_LABEL}/envelope`);
  return concatBytes(label2, fromHex(roundId), u32be(attempt), roster2 ?? none, body);
}
function sealEnvelope(context, body, key) {
  const encoded = encodeCanonical(bodyCodec, body);
  const sealed = encodeCanonical(envelopeCodec, {
    ...context,
    sender: key.peerId,
    body: encoded,
    signature: key.sign(signedBytes2(context, encoded)),
  });
  return { ...context, sender: key.peerId, body, bytes: sealed, hash: hashHex(sealed) };
}
function openEnvelope(sealed) {
  const outer = decodeCanonical(envelopeCodec, sealed, LIMITS.controlBytesMax);
  const body = decodeCanonical(bodyCodec, outer.body, LIMITS.controlBytesMax);
  if (!verify(outer.sender, signedBytes2(outer, outer.body), outer.signature)) return void 0;
  const { roundId, attempt, roster: roster2, sender } = outer;
  return { roundId, attempt, roster: roster2, sender, body, bytes: sealed, hash: hashHex(sealed) };
}

// protocols/rounds/src/manifest.ts
var LOSS_NAMES = ['softmax-cross-entropy', 'mean-squared-error'];
var OPTIMIZER_NAMES = ['sgd'];
var ALGORITHM_NAMES = ['fedavg'];
var manifestCodec = struct({
  name: text(128),
  model: hashCodec(),
  data: struct({
    task: text(64),
    inputShape: list(u32(), 8),
    /** 0 for regression. */
    classes: u32(1e6),
  }),
  loss: oneOf(LOSS_NAMES),
  training: struct({
    epochs: u32(1e3),
    batchSize: u32(65536),
    optimizer: oneOf(OPTIMIZER_NAMES),
    learningRate: f64,
    momentum: f64,
  }),
  aggregation: struct({
    algorithm: oneOf(ALGORITHM_NAMES),
    ringBits: u32(32),
    clippingNorm: f64,
    /** Owners of each chunk; 0 means f + 1 of the roster, at most 3. */
    replication: u32(3),
    /** How long one phase of the secure aggregation waits for the slowest member. */
    phaseSeconds: f64,
  }),
  admission: struct({
    minPeers: u32(LIMITS.cellPeersMax),
    maxPeers: u32(LIMITS.cellPeersMax),
    joinWindowSeconds: f64,
  }),
  stop: struct({ rounds: u32(1e6) }),
  /** Makes two launches of the same file two jobs. */
  nonce: bytes(16),
});
var signedManifestCodec = struct({
  manifest: bytes(1, 8 * 1024),
  launcher: peerCodec,
  signature: signatureCodec,
});
var signedBytes3 = (manifest) => concatBytes(utf8(`${ROUNDS_LABEL}/manifest`), manifest);
function signManifest(manifest, key) {
  const encoded = encodeCanonical(manifestCodec, manifest);
  return encodeCanonical(signedManifestCodec, {
    manifest: encoded,
    launcher: key.peerId,
    signature: key.sign(signedBytes3(encoded)),
  });
}
function readJob(signed) {
  const outer = decodeCanonical(signedManifestCodec, signed, LIMITS.controlBytesMax);
  const manifest = decodeCanonical(manifestCodec, outer.manifest, LIMITS.controlBytesMax);
  if (!verify(outer.launcher, signedBytes3(outer.manifest), outer.signature)) return void 0;
  return { id: hashHex(signed), launcher: outer.launcher, manifest };
}

// protocols/rounds/src/sync.ts
var SYNC_PROTOCOL = `/starling/rounds/${ROUNDS_VERSION}/sync`;
var jobsTopic = `starling/rounds/${ROUNDS_VERSION}/jobs`;
var jobTopic = (job) => `starling/rounds/${ROUNDS_VERSION}/job/${job}`;
var HAVE_BYTES = 8;
var gossipCodec = union({
  envelope: struct({ bytes: bytes(1, LIMITS.controlBytesMax - 64) }),
  head: struct({ round: u32(1e6), certificate: nullable(hashCodec()) }),
});
var syncRequestCodec = union({
  /** Signed manifests of the jobs the other side knows. */
  jobs: struct({}),
  /** Holds a signed manifest and its model for the launcher; answered when both are durable. */
  hold: struct({ manifest: bytes(1, 16 * 1024) }),
  /**
   * Envelopes of round `round` that are not among `have`; answered by `chain` when
   * the other side is further on.
   */
  envelopes: struct({
    job: hashCodec(),
    round: u32(1e6),
    have: bytes(0, 24 * 1024),
  }),
  /** The job's certificates from `fromRound` on. */
  chain: struct({ job: hashCodec(), fromRound: u32(1e6) }),
});
var syncAnswerCodec = union({
  jobs: struct({ manifests: list(bytes(1, 16 * 1024), 256) }),
  held: struct({}),
  envelopes: struct({ envelopes: list(bytes(1, LIMITS.controlBytesMax), 1024) }),
  chain: struct({ certificates: list(certificateCodec, 256) }),
  refused: struct({ reason: bytes(0, 256) }),
});
var SYNC_ANSWER_BYTES_MAX = 8 * 1024 * 1024;

// packages/rounds/src/chain.ts
function headHash(chain, jobId) {
  const last = chain.at(-1);
  return last ? statementHash(last.statement) : jobId;
}
function certificateFault(certificate, before, { jobId, manifest }) {
  const { statement } = certificate;
  const { roster: roster2 } = statement;
  if (statement.jobId !== jobId) return 'belongs to another job';
  if (statement.round !== before.length + 1) return `round ${statement.round} out of order`;
  if (statement.parent !== headHash(before, jobId)) return 'names another parent';
  if (roster2.length < Math.max(3, manifest.admission.minPeers)) return 'roster too small';
  if (roster2.some((peer, i) => i > 0 && compareText(roster2[i - 1], peer) >= 0)) {
    return 'roster not in order';
  }
  const survivors = fromBitmap(statement.survivors, roster2.length);
  if (survivors === void 0 || survivors.length === 0) return 'survivor set malformed';
  if (signersOf(certificate).size < threshold(roster2.length)) return 'no quorum of signatures';
  return void 0;
}
function signersOf({ statement, signatures }) {
  const signers = /* @__PURE__ */ new Set();
  for (const { member, signature } of signatures) {
    const peer = statement.roster[member];
    if (peer !== void 0 && verifyStatement(statement, peer, signature)) signers.add(peer);
  }
  return signers;
}
function isSettled(chain, i) {
  const parent = chain[i - 1];
  if (parent === void 0) return true;
  const child = chain[i + 1];
  const signers = /* @__PURE__ */ new Set([
    ...signersOf(chain[i]),
    ...(child ? signersOf(child) : []),
  ]);
  const { roster: roster2 } = parent.statement;
  return roster2.filter((peer) => signers.has(peer)).length * 2 > roster2.length;
}
function isBetter(candidate, mine) {
  const fork = firstDifference(candidate, mine);
  if (fork === void 0) return false;
  const settled = (chain) => chain.filter((_, i) => i >= fork - 1 && isSettled(chain, i)).length;
  const rank = (chain) => {
    const at = chain[fork]?.statement;
    return [settled(chain), chain.length, at ? survivorCount(at) : 0];
  };
  const theirs = rank(candidate);
  const ours = rank(mine);
  for (const [i, value] of theirs.entries()) {
    if (value !== ours[i]) return value > ours[i];
  }
  return compareText(hashAt(candidate, fork), hashAt(mine, fork)) < 0;
}
var hashAt = (chain, i) => {
  const certificate = chain[i];
  return certificate ? statementHash(certificate.statement) : '';
};
function firstDifference(a, b) {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    if (hashAt(a, i) !== hashAt(b, i)) return i;
  }
  return void 0;
}
var survivorCount = (statement) =>
  fromBitmap(statement.survivors, statement.roster.length)?.length ?? 0;

// packages/rounds/src/round-id.ts
function roundIdOf(jobId, parent, round, restarts) {
  const label2 = utf8(`${ROUNDS_LABEL}/round-id`);
  const place = concatBytes(u32be(round), u32be(restarts));
  return hashHex(label2, fromHex(jobId), fromHex(parent), place);
}
function proposerRank(roundId, attempt, peer) {
  return hashHex(fromHex(roundId), u32be(attempt), publicKeyOf(peer));
}
var slotKey = ({ restarts, attempt }) => `${restarts}/${attempt}`;
var parseSlot = (key) => {
  const [restarts, attempt] = key.split('/').map(Number);
  return { restarts, attempt };
};
var compareSlots = (a, b) => a.restarts - b.restarts || a.attempt - b.attempt;

// packages/rounds/src/shape.ts
var METRIC_COORDINATES = 3;
var CHUNK_BYTES_MIN = 16 * 1024;
var CHUNK_BYTES_MAX = 256 * 1024;
function ringShapeOf(manifest, length, members) {
  const { ringBits: bits } = manifest.aggregation;
  const share = Math.ceil((length * bits) / 8 / (2 * members));
  const chunkBytes = Math.min(CHUNK_BYTES_MAX, Math.max(CHUNK_BYTES_MIN, share));
  return { length, bits, coordinateMax: 2 ** valueBitsOf(manifest) - 1, chunkBytes };
}
function valueBitsOf({ aggregation, admission }) {
  return Math.min(18, aggregation.ringBits - Math.ceil(Math.log2(admission.maxPeers)));
}

// packages/rounds/src/admission.ts
var PEERS_MIN = 3;
function manifestFault({ training, aggregation, admission, stop }) {
  const { ringBits, clippingNorm, phaseSeconds } = aggregation;
  const { minPeers, maxPeers, joinWindowSeconds } = admission;
  const checks = [
    [training.epochs >= 1 && training.batchSize >= 1, 'training.epochs and batchSize start at 1'],
    [isPositive(training.learningRate), 'training.learningRate must be positive'],
    [training.momentum >= 0 && training.momentum < 1, 'training.momentum must be in [0, 1)'],
    [
      ringBits >= RING_BITS_MIN && ringBits <= RING_BITS_MAX,
      `aggregation.ringBits must be ${RING_BITS_MIN} to ${RING_BITS_MAX}`,
    ],
    [isPositive(clippingNorm), 'aggregation.clippingNorm must be positive'],
    [phaseSeconds >= 0.1 && phaseSeconds <= 3600, 'aggregation.phaseSeconds must be 0.1 to 3600'],
    [minPeers >= PEERS_MIN, `admission.minPeers must be at least ${PEERS_MIN}`],
    [maxPeers >= minPeers, 'admission.maxPeers must not be below minPeers'],
    [
      ringBits + ceilLog2(maxPeers) <= 32 && ringBits - ceilLog2(maxPeers) >= 5,
      'aggregation.ringBits leaves no room for the sum of admission.maxPeers inputs',
    ],
    [
      joinWindowSeconds >= 0.1 && joinWindowSeconds <= 86400,
      'admission.joinWindowSeconds must be 0.1 to 86400',
    ],
    [stop.rounds >= 1, 'stop.rounds must be at least 1'],
  ];
  return checks.find(([ok]) => !ok)?.[1];
}
var isPositive = (value) => Number.isFinite(value) && value > 0;
function consentTo(job, policy, self) {
  if (job.manifest.admission.minPeers < policy.minPeers) {
    const least = job.manifest.admission.minPeers;
    const reason = `adds up as few as ${least} updates, your policy wants ${policy.minPeers}`;
    return { verdict: 'refuse', reason };
  }
  if (job.launcher === self || policy.trust.includes(job.launcher)) return { verdict: 'start' };
  return { verdict: 'ask', reason: `launched by ${job.launcher}, who is not in policy.trust` };
}

// packages/rounds/src/pool.ts
var PER_SENDER_MAX = 256;
var ATTEMPTS_PER_SENDER_MAX = 32;
var emptyPool = /* @__PURE__ */ new Map();
function addToPool(pool, envelope, at) {
  const slot = slotOfEnvelope(envelope);
  if (slot === void 0) return pool;
  const key = `${envelope.roundId}/${envelope.attempt}/${envelope.sender}`;
  const held = pool.get(key);
  if (held?.has(slot) || (held?.size ?? 0) >= PER_SENDER_MAX) return pool;
  if (held === void 0 && attemptsOf(pool, envelope.sender) >= ATTEMPTS_PER_SENDER_MAX) return pool;
  return new Map(pool).set(key, new Map(held).set(slot, { envelope, at }));
}
function attemptsOf(pool, sender) {
  let attempts = 0;
  for (const key of pool.keys()) if (key.endsWith(`/${sender}`)) attempts++;
  return attempts;
}
function slotOfEnvelope({ body }) {
  if (body.kind !== 'session') return body.kind;
  try {
    return `session/${slotOf(decodeMessage(body.message))}`;
  } catch {
    return void 0;
  }
}
function* pooled(pool) {
  for (const slots of pool.values()) yield* slots.values();
}
function* pooledAttempt(pool, roundId, attempt) {
  for (const [key, slots] of pool) {
    if (key.startsWith(`${roundId}/${attempt}/`)) yield* slots.values();
  }
}
function joinsOf(pool, roundId, attempt) {
  const joins = /* @__PURE__ */ new Map();
  for (const entry of pooledAttempt(pool, roundId, attempt)) {
    if (entry.envelope.body.kind === 'join') joins.set(entry.envelope.sender, entry);
  }
  return joins;
}
function haveOf(pool, most) {
  const hashes = [...pooled(pool)].slice(-most);
  const out = new Uint8Array(hashes.length * HAVE_BYTES);
  for (const [i, { envelope }] of hashes.entries()) {
    out.set(fromHex(envelope.hash.slice(0, 2 * HAVE_BYTES)), i * HAVE_BYTES);
  }
  return out;
}
function missingFrom(pool, have) {
  const held = /* @__PURE__ */ new Set();
  for (let at = 0; at + HAVE_BYTES <= have.length; at += HAVE_BYTES) {
    held.add(toHex(have.subarray(at, at + HAVE_BYTES)));
  }
  return [...pooled(pool)]
    .map(({ envelope }) => envelope)
    .filter(({ hash: hash2 }) => !held.has(hash2.slice(0, 2 * HAVE_BYTES)));
}

// packages/rounds/src/state.ts
function createEngine(config) {
  return {
    config,
    phase: { name: 'preparing' },
    chain: [],
    vectorLength: 0,
    genesis: void 0,
    participating: false,
    update: void 0,
    slot: { restarts: 0, attempt: 0 },
    barred: /* @__PURE__ */ new Set(),
    joined: /* @__PURE__ */ new Set(),
    pool: emptyPool,
    early: [],
    reachable: /* @__PURE__ */ new Set(),
    lost: /* @__PURE__ */ new Set(),
    marks: /* @__PURE__ */ new Set(),
    candidate: void 0,
    pullTurn: 0,
  };
}
var draftOf2 = (state, at = millis(0)) => ({
  ...state,
  at,
  effects: [],
});
var selfOf = (s) => s.config.key.peerId;
var roundOf = (s) => s.chain.length + 1;
var parentOf = (s) => headHash(s.chain, s.config.job.id);
var stateHashOf = (s) => s.chain.at(-1)?.statement.stateHash ?? s.genesis;
var currentRoundId = (s, restarts) => roundIdOf(s.config.job.id, parentOf(s), roundOf(s), restarts);
var withItem = (set, item) => new Set(set).add(item);
function once3(d, mark) {
  if (d.marks.has(mark)) return false;
  d.marks = withItem(d.marks, mark);
  return true;
}
function setTimer(d, timer, afterMs) {
  d.effects.push({ kind: 'set-timer', timer: `${roundOf(d)}/${timer}`, afterMs });
}
function notice(d, what) {
  d.effects.push({ kind: 'notice', notice: what });
}
function send(d, context, body) {
  const envelope = sealEnvelope(context, body, d.config.key);
  d.pool = addToPool(d.pool, envelope, d.at);
  d.effects.push({ kind: 'gossip', message: { kind: 'envelope', bytes: envelope.bytes } });
  return envelope;
}
function previousRoster(s) {
  return s.chain.at(-1)?.statement.roster ?? [];
}

// packages/rounds/src/attempt.ts
function startAttempt(d, session) {
  const { slot, roundId, config } = session;
  const roster2 = config.members.map(({ peer }) => peer);
  notice(d, { kind: 'session', round: roundOf(d), slot, roster: roster2, update: d.update.id });
  drive(d, { kind: 'start' });
  for (const [member, { peer }] of config.members.entries()) {
    if (d.lost.has(peer)) drive(d, { kind: 'reachable', member, reachable: false });
  }
  for (const { envelope } of [...pooledAttempt(d.pool, roundId, slot.attempt)]) {
    deliverEnvelope(d, envelope);
  }
}
function deliverEnvelope(d, { roundId, attempt, roster: roster2, sender, body }) {
  if (d.phase.name !== 'session' || body.kind !== 'session' || roster2 === null) return;
  const { config } = d.phase.session;
  if (roundId !== d.phase.session.roundId || attempt !== config.attempt) return;
  if (!equalBytes(roster2, config.rosterDigest)) return;
  const from = config.members.findIndex(({ peer }) => peer === sender);
  if (from === -1 || from === config.self) return;
  drive(d, { kind: 'message', from, message: decodeMessage(body.message) });
}
function drive(d, event) {
  if (d.phase.name !== 'session' || d.phase.session.state.outcome !== void 0) return;
  const { session } = d.phase;
  const { state, effects } = step(session.state, event);
  d.phase = { name: 'session', session: { ...session, state } };
  for (const effect of effects) perform(d, session, effect);
}
function perform(d, session, effect) {
  const { slot, roundId, config } = session;
  switch (effect.kind) {
    case 'broadcast': {
      const context = { roundId, attempt: slot.attempt, roster: config.rosterDigest };
      send(d, context, { kind: 'session', message: encodeMessage(effect.message) });
      return;
    }
    case 'set-timer':
      setTimer(d, `session/${slotKey(slot)}/${effect.timer}`, effect.afterMs);
      return;
    case 'journal': {
      const key = `attempt/${roundId}/${slotKey(slot)}/${recordName(effect.record)}`;
      d.effects.push({ kind: 'journal', key, value: recordValue(d, effect.record) });
      return;
    }
    case 'phase':
      notice(d, { kind: 'phase', round: roundOf(d), slot, phase: effect.phase });
      return;
    case 'ended':
      return;
    case 'compute':
    case 'send-chunk':
    case 'fetch-sum':
      d.effects.push({ kind: 'session', round: roundOf(d), roundId, slot, config, effect });
      return;
    default:
      unreachable(effect);
  }
}
var recordName = (record) => (record.kind === 'vote' ? `vote/${record.slot}` : record.kind);
function recordValue(d, record) {
  switch (record.kind) {
    case 'vote':
      return record.value;
    case 'reveal':
      return toHex(record.survivors);
    default:
      return d.update?.id ?? '';
  }
}

// packages/rounds/src/certify.ts
var CERTIFY_PHASES = 12;
function enterCertifying(d, stateHash, metrics) {
  if (d.phase.name !== 'applying') return;
  const { session } = d.phase;
  const { outcome } = session.state;
  if (outcome?.kind !== 'sum') return;
  const roster2 = session.config.members.map(({ peer }) => peer);
  const statement = {
    jobId: d.config.job.id,
    round: roundOf(d),
    restarts: session.slot.restarts,
    attempt: session.slot.attempt,
    parent: parentOf(d),
    stateHash,
    roster: roster2,
    survivors: toBitmap(outcome.survivors, roster2.length),
    metrics,
  };
  const hash2 = statementHash(statement);
  const key = `final/${session.roundId}/${slotKey(session.slot)}`;
  d.effects.push({ kind: 'journal', key, value: hash2 });
  const { roundId, slot, config } = session;
  send(
    d,
    { roundId, attempt: slot.attempt, roster: config.rosterDigest },
    { kind: 'final', statement: hash2, signature: signStatement(statement, d.config.key) },
  );
  d.phase = { name: 'certifying', session, statement, hash: hash2 };
  setTimer(d, `certify/${slotKey(slot)}`, CERTIFY_PHASES * config.timers.phaseMs);
}
function certificateReady(d) {
  if (d.phase.name !== 'certifying') return void 0;
  const { session, statement, hash: hash2 } = d.phase;
  const signatures = /* @__PURE__ */ new Map();
  for (const { envelope } of pooledAttempt(d.pool, session.roundId, session.slot.attempt)) {
    const { body, sender } = envelope;
    if (body.kind !== 'final' || body.statement !== hash2) continue;
    const member = statement.roster.indexOf(sender);
    if (member !== -1 && verifyStatement(statement, sender, body.signature)) {
      signatures.set(member, body.signature);
    }
  }
  if (signatures.size < threshold(statement.roster.length)) return void 0;
  const sorted = [...signatures].sort(([a], [b]) => a - b);
  return { statement, signatures: sorted.map(([member, signature]) => ({ member, signature })) };
}

// packages/rounds/src/joins.ts
var attemptSeed = (s, roundId, attempt) =>
  deriveSecret(s.update.entropy, concatBytes(fromHex(roundId), u32be(attempt)));
function isJoinCurrent(s, { body, roundId, attempt }) {
  if (body.kind !== 'join' || body.round !== roundOf(s)) return false;
  return (
    body.parent === parentOf(s) &&
    body.stateHash === stateHashOf(s) &&
    roundId === currentRoundId(s, body.restarts) &&
    attempt <= 1e3
  );
}
function joinsInSlot(s, slot) {
  return joinsOf(s.pool, currentRoundId(s, slot.restarts), slot.attempt);
}
function proposerOf(roundId, attempt, members) {
  const ranked = members.map((peer) => ({ peer, rank: proposerRank(roundId, attempt, peer) }));
  ranked.sort((a, b) => compareText(a.rank, b.rank));
  return ranked[attempt % ranked.length].peer;
}
var barKey = (s, slot) => `${currentRoundId(s, slot.restarts)}/${slotKey(slot)}`;

// packages/rounds/src/roster.ts
function acceptableRoster(d, slot) {
  if (d.update === void 0 || d.barred.has(barKey(d, slot))) return void 0;
  const roundId = currentRoundId(d, slot.restarts);
  for (const { envelope, at } of pooledAttempt(d.pool, roundId, slot.attempt)) {
    if (envelope.body.kind !== 'roster') continue;
    const members = rosterMembers(d, slot, envelope, envelope.body);
    if (members === void 0 || !members.some(({ sender }) => sender === selfOf(d))) continue;
    const left = leftOut(d, slot, members, at);
    if (left === void 0) return sessionOver(d, slot, envelope.body, members);
    if (once3(d, `refused/${envelope.hash}`)) {
      const reason = `roster leaves out ${left}, who had JOINed in time`;
      notice(d, { kind: 'refused', reason, peer: envelope.sender });
    }
  }
  return void 0;
}
function rosterMembers(d, slot, envelope, { joins }) {
  const { minPeers, maxPeers } = d.config.job.manifest.admission;
  if (joins.length < Math.max(3, minPeers) || joins.length > maxPeers) return void 0;
  const byHash = /* @__PURE__ */ new Map();
  for (const { envelope: join2 } of joinsInSlot(d, slot).values()) byHash.set(join2.hash, join2);
  const members = joins.flatMap((hash2) => byHash.get(hash2) ?? []);
  if (members.length !== joins.length) return void 0;
  const peers = members.map(({ sender }) => sender);
  if (peers.some((peer, i) => i > 0 && compareText(peers[i - 1], peer) >= 0)) return void 0;
  if (proposerOf(envelope.roundId, slot.attempt, peers) !== envelope.sender) return void 0;
  return members;
}
function leftOut(d, slot, members, rosterAt) {
  const { maxPeers, joinWindowSeconds } = d.config.job.manifest.admission;
  if (members.length >= maxPeers) return void 0;
  const listed = new Set(members.map(({ sender }) => sender));
  const inTime = ({ at }) => rosterAt - at > joinWindowSeconds * 500;
  for (const [peer, join2] of joinsInSlot(d, slot)) {
    if (!listed.has(peer) && inTime(join2)) return peer;
  }
  return void 0;
}
function sessionOver(d, slot, body, joins) {
  const roundId = currentRoundId(d, slot.restarts);
  const members = joins.flatMap((join2) => {
    const hello = readHello(join2);
    const light = join2.body.kind === 'join' && join2.body.light === 1;
    return hello ? [{ peer: join2.sender, hello, light }] : [];
  });
  if (members.length !== joins.length) return void 0;
  const { manifest } = d.config.job;
  const { phaseSeconds, replication } = manifest.aggregation;
  const config = {
    roundId: fromHex(roundId),
    attempt: slot.attempt,
    members,
    rosterDigest: rosterDigest(body),
    self: members.findIndex(({ peer }) => peer === selfOf(d)),
    context: sha256(
      utf8(`${ROUNDS_LABEL}/context`),
      fromHex(d.config.job.id),
      fromHex(stateHashOf(d)),
    ),
    shape: ringShapeOf(manifest, d.vectorLength, members.length),
    replication: replication === 0 ? Math.min(3, byzantineMax(members.length) + 1) : replication,
    timers: { phaseMs: phaseSeconds * 1e3, decideMs: phaseSeconds * 500 },
    seed: attemptSeed(d, roundId, slot.attempt),
    input: d.update.handle,
    protection: d.config.protection,
    ...(d.config.canary === 'never-both' ? { canary: d.config.canary } : {}),
  };
  return { slot, roundId, config, state: createSession(config) };
}
function readHello({ body }) {
  if (body.kind !== 'join') return void 0;
  try {
    return decodeCanonical(helloCodec, body.hello, LIMITS.controlBytesMax);
  } catch {
    return void 0;
  }
}
var rosterDigest = ({ joins }) =>
  sha256(utf8(`${ROUNDS_LABEL}/roster`), concatBytes(...joins.map(fromHex)));

// packages/rounds/src/joining.ts
function enterJoining(d, slot) {
  d.slot = slot;
  d.phase = { name: 'joining', slot };
  notice(d, { kind: 'joining', round: roundOf(d), slot });
  joinSlot(d, slot);
}
function joinSlot(d, slot) {
  const stateHash = stateHashOf(d);
  const key = slotKey(slot);
  if (d.joined.has(key) || stateHash === void 0) return;
  d.joined = withItem(d.joined, key);
  const roundId = currentRoundId(d, slot.restarts);
  d.effects.push({ kind: 'journal', key: `join/${roundId}/${key}`, value: d.update.id });
  const hello = encodeCanonical(helloCodec, helloOf(attemptSeed(d, roundId, slot.attempt)));
  const context = { roundId, attempt: slot.attempt, roster: null };
  send(d, context, {
    kind: 'join',
    round: roundOf(d),
    restarts: slot.restarts,
    parent: parentOf(d),
    stateHash,
    hello,
    light: d.config.light ? 1 : 0,
  });
}
function advanceJoining(d) {
  if (d.phase.name !== 'joining') return;
  followOthers(d);
  const { slot } = d.phase;
  const key = slotKey(slot);
  const session = acceptableRoster(d, slot);
  if (session !== void 0) {
    d.phase = { name: 'session', session };
    return;
  }
  const joins = joinsInSlot(d, slot);
  const { joinWindowSeconds, minPeers } = d.config.job.manifest.admission;
  if (joins.size > 0 && once3(d, `window-set/${key}`)) {
    setTimer(d, `window/${key}`, joinWindowSeconds * 1e3);
    setTimer(d, `grace/${key}`, joinWindowSeconds * 200);
  }
  if (!isWindowClosed(d, slot, joins)) return;
  if (joins.size < Math.max(3, minPeers)) {
    if (once3(d, `waiting/${key}/${joins.size}`)) {
      notice(d, { kind: 'waiting', round: roundOf(d), joined: joins.size, needed: minPeers });
    }
    return;
  }
  if (once3(d, `closed/${key}`)) closeWindow(d, slot, joins);
}
function isWindowClosed(d, slot, joins) {
  const key = slotKey(slot);
  if (d.marks.has(`window/${key}`)) return true;
  const before = previousRoster(d);
  if (before.length === 0 || !d.marks.has(`grace/${key}`)) return false;
  return before.every((peer) => joins.has(peer) || d.lost.has(peer));
}
function closeWindow(d, slot, joins) {
  const { phaseSeconds } = d.config.job.manifest.aggregation;
  setTimer(d, `roster/${slotKey(slot)}`, phaseSeconds * 1e3);
  const roundId = currentRoundId(d, slot.restarts);
  const members = chooseMembers(d, joins);
  if (proposerOf(roundId, slot.attempt, members) !== selfOf(d)) return;
  const body = {
    kind: 'roster',
    joins: members.map((peer) => joins.get(peer).envelope.hash),
  };
  send(d, { roundId, attempt: slot.attempt, roster: null }, body);
  advanceJoining(d);
}
function chooseMembers(s, joins) {
  const ranked = [...joins].map(([peer, { envelope }]) => ({
    peer,
    rank: hashHex(fromHex(parentOf(s)), fromHex(envelope.hash)),
  }));
  ranked.sort((a, b) => compareText(a.rank, b.rank));
  const chosen = ranked.slice(0, s.config.job.manifest.admission.maxPeers);
  return chosen.map(({ peer }) => peer).sort(compareText);
}
function onRosterTimeout(d, slot) {
  if (d.phase.name !== 'joining' || slotKey(d.phase.slot) !== slotKey(slot)) return;
  enterJoining(d, { ...slot, attempt: slot.attempt + 1 });
}
function followOthers(d) {
  if (d.phase.name !== 'joining') return;
  const own = d.phase.slot;
  const needed = byzantineMax(Math.max(3, previousRoster(d).length)) + 1;
  const others = (slot) =>
    joinsInSlot(d, slot).size - (joinsInSlot(d, slot).has(selfOf(d)) ? 1 : 0);
  let best = { slot: own, count: others(own) };
  for (const slot of slotsSeen(d)) {
    const count2 = others(slot);
    const more =
      count2 > best.count || (count2 === best.count && compareSlots(slot, best.slot) > 0);
    if (count2 >= needed && more && !d.barred.has(barKey(d, slot))) best = { slot, count: count2 };
  }
  if (slotKey(best.slot) !== slotKey(own)) enterJoining(d, best.slot);
}
function slotsSeen(d) {
  const keys = /* @__PURE__ */ new Set();
  for (const { envelope } of pooled(d.pool)) {
    const { body, attempt } = envelope;
    if (body.kind === 'join') keys.add(slotKey({ restarts: body.restarts, attempt }));
  }
  return [...keys].map(parseSlot);
}

// packages/rounds/src/sync.ts
var HAVE_MAX = 2048;
var LOOK_BACK = 8;
var PULL_ACTIVE_MS = 1e3;
var PULL_IDLE_MS = 4e3;
function armPull(d) {
  const active = d.phase.name !== 'watching' && d.phase.name !== 'finished';
  setTimer(d, 'pull', active ? PULL_ACTIVE_MS : PULL_IDLE_MS);
}
function pullOnce(d) {
  d.pullTurn += 1;
  armPull(d);
  const peers = pullTargets(d);
  const to = peers[d.pullTurn % Math.max(1, peers.length)];
  if (to === void 0 || d.phase.name === 'finished') return;
  d.effects.push({ kind: 'pull', to, round: roundOf(d), have: haveOf(d.pool, HAVE_MAX) });
}
function pullTargets(d) {
  const roster2 =
    d.phase.name === 'session' || d.phase.name === 'certifying'
      ? d.phase.session.config.members.map(({ peer }) => peer)
      : previousRoster(d);
  const known = /* @__PURE__ */ new Set([...roster2, ...d.reachable]);
  return [...known].filter((peer) => peer !== selfOf(d) && !d.lost.has(peer));
}
function askChain(d, from, why) {
  if (!once3(d, `ask-chain/${from}/${why}`)) return;
  const fromRound = Math.max(1, roundOf(d) - LOOK_BACK);
  d.effects.push({ kind: 'fetch-chain', to: from, fromRound });
}
function considerChain(d, from, certificates) {
  const first = certificates[0]?.statement.round;
  if (first === void 0 || first < 1) return;
  if (first > d.chain.length + 1) {
    d.effects.push({ kind: 'fetch-chain', to: from, fromRound: 1 });
    return;
  }
  const candidate = graft(d, from, certificates);
  const best = d.candidate ?? d.chain;
  if (candidate === void 0 || !isBetter(candidate, best)) return;
  const last = candidate.at(-1);
  d.candidate = candidate;
  const holders = [.../* @__PURE__ */ new Set([from, ...signersOf(last)])].filter(
    (peer) => peer !== selfOf(d),
  );
  const { stateHash } = last.statement;
  d.effects.push({ kind: 'fetch-state', stateHash, from: holders });
}
function graft(d, from, certificates) {
  const { job } = d.config;
  const rules = { jobId: job.id, manifest: job.manifest };
  const chain = d.chain.slice(0, certificates[0].statement.round - 1);
  for (const certificate of certificates) {
    const reason = certificateFault(certificate, chain, rules);
    if (reason !== void 0) {
      const round = certificate.statement.round;
      notice(d, {
        kind: 'refused',
        reason: `certificate of round ${round}: ${reason}`,
        peer: from,
      });
      return void 0;
    }
    chain.push(certificate);
  }
  return chain;
}
function candidateWith(d, stateHash) {
  const { candidate } = d;
  if (candidate?.at(-1)?.statement.stateHash !== stateHash) return void 0;
  d.candidate = void 0;
  return isBetter(candidate, d.chain) ? candidate : void 0;
}

// packages/rounds/src/engine.ts
var EARLY_MAX = 1024;
var RESTARTS_AHEAD = 4;
var RETRAIN_MS = 5e3;
var RETRAIN_MAX = 3;
function engineStep(state, { at, event }) {
  const d = draftOf2(state, at);
  handle2(d, event);
  advance3(d);
  const { at: _, effects, ...next } = d;
  return { state: next, effects };
}
function handle2(d, event) {
  switch (event.kind) {
    case 'start':
      onStart(d, event);
      return;
    case 'prepared':
      d.vectorLength = event.vectorLength;
      d.genesis = event.stateHash;
      if (d.phase.name === 'preparing') beginRound(d);
      return;
    case 'participate':
      d.participating = event.on;
      if (d.phase.name === 'watching' || d.phase.name === 'training') beginRound(d);
      return;
    case 'trained':
      onTrained(d, event);
      return;
    case 'train-failed':
      onTrainFailed(d, event.reason);
      return;
    case 'envelope':
      onEnvelope(d, event.envelope);
      return;
    case 'timer':
      onTimer2(d, event.timer);
      return;
    case 'reachable':
      onReachable(d, event.peer, event.reachable);
      return;
    case 'session':
      onSessionEvent(d, event);
      return;
    case 'applied':
      if (d.phase.name === 'applying' && d.phase.session.roundId === event.roundId) {
        enterCertifying(d, event.stateHash, event.metrics);
      }
      return;
    case 'head':
      if (event.round >= roundOf(d)) askChain(d, event.from, `head/${event.round}`);
      return;
    case 'chain':
      considerChain(d, event.from, event.certificates);
      return;
    case 'state-fetched': {
      const chain = candidateWith(d, event.stateHash);
      if (chain !== void 0) adoptChain(d, chain, false);
      return;
    }
    case 'state-missing':
      if (d.candidate?.at(-1)?.statement.stateHash === event.stateHash) d.candidate = void 0;
      return;
    default:
      unreachable(event);
  }
}
function advance3(d) {
  if (d.phase.name === 'joining') advanceJoining(d);
  if (d.phase.name === 'session') {
    const { session } = d.phase;
    if (once3(d, `started/${slotKey(session.slot)}`)) startAttempt(d, session);
    onOutcome(d);
  }
  const certificate = certificateReady(d);
  if (certificate !== void 0) adoptChain(d, [...d.chain, certificate], true);
}
function onStart(d, event) {
  d.chain = event.certificates;
  for (const { roundId, slot } of event.joined) {
    d.barred = withItem(d.barred, `${roundId}/${slotKey(slot)}`);
  }
  d.slot = firstFreeSlot(
    d,
    event.joined.map(({ slot }) => slot),
  );
  armPull(d);
}
function firstFreeSlot(d, joined) {
  const mine = joined.filter((slot) => d.barred.has(barKey(d, slot))).sort(compareSlots);
  const last = mine.at(-1);
  return last ? { ...last, attempt: last.attempt + 1 } : { restarts: 0, attempt: 0 };
}
function beginRound(d) {
  const stateHash = stateHashOf(d);
  if (stateHash === void 0) {
    d.phase = { name: 'preparing' };
    return;
  }
  if (d.chain.length >= d.config.job.manifest.stop.rounds) {
    d.phase = { name: 'finished' };
    notice(d, { kind: 'finished', round: d.chain.length });
    return;
  }
  d.phase = { name: d.participating ? 'training' : 'watching' };
  if (!d.participating) return;
  notice(d, { kind: 'training', round: roundOf(d) });
  d.effects.push({ kind: 'train', stateHash, round: roundOf(d) });
}
function onTrained(d, event) {
  if (d.phase.name !== 'training' || event.stateHash !== stateHashOf(d)) return;
  d.update = { ...event.update, entropy: new Secret(event.entropy) };
  enterJoining(d, d.slot);
}
function onTrainFailed(d, reason) {
  if (d.phase.name !== 'training') return;
  notice(d, { kind: 'train-failed', reason });
  d.phase = { name: 'watching' };
  for (let attempt = 0; attempt < RETRAIN_MAX; attempt++) {
    if (!once3(d, `retrain-set/${attempt}`)) continue;
    setTimer(d, `retrain/${attempt}`, RETRAIN_MS);
    return;
  }
}
function onEnvelope(d, envelope) {
  if (d.phase.name === 'finished') return;
  if (!isOfThisRound(d, envelope)) {
    noteOtherRound(d, envelope);
    return;
  }
  const before = d.pool;
  d.pool = addToPool(d.pool, envelope, d.at);
  if (d.pool !== before) deliverEnvelope(d, envelope);
}
function isOfThisRound(d, envelope) {
  if (envelope.body.kind === 'join') return isJoinCurrent(d, envelope);
  const most = d.slot.restarts + RESTARTS_AHEAD;
  for (let restarts = 0; restarts <= most; restarts++) {
    if (envelope.roundId === currentRoundId(d, restarts)) return true;
  }
  return false;
}
function noteOtherRound(d, envelope) {
  const { body, sender } = envelope;
  if (d.early.length < EARLY_MAX) d.early = [...d.early, envelope];
  if (body.kind !== 'join' || body.round < roundOf(d)) return;
  if (body.round > roundOf(d) || body.parent !== parentOf(d)) {
    askChain(d, sender, `join/${body.round}/${body.parent}`);
  }
}
function onReachable(d, peer, reachable) {
  const without = (set) => new Set([...set].filter((other) => other !== peer));
  d.reachable = reachable ? withItem(d.reachable, peer) : without(d.reachable);
  d.lost = reachable ? without(d.lost) : withItem(d.lost, peer);
  if (reachable) askChain(d, peer, 'connected');
  if (d.phase.name !== 'session') return;
  const { members } = d.phase.session.config;
  const member = members.findIndex((entry) => entry.peer === peer);
  if (member !== -1) drive(d, { kind: 'reachable', member, reachable });
}
function onSessionEvent(d, event) {
  if (d.phase.name !== 'session') return;
  const { session } = d.phase;
  const same = slotKey(session.slot) === slotKey(event.message.slot);
  if (same && session.roundId === event.roundId) drive(d, event.message.event);
}
function onTimer2(d, timer) {
  const [round, name2, restarts, attempt, ...rest] = timer.split('/');
  if (Number(round) !== roundOf(d)) return;
  const slot = parseSlot(`${restarts}/${attempt}`);
  switch (name2) {
    case 'pull':
      pullOnce(d);
      return;
    case 'retrain':
      if (d.phase.name === 'watching') beginRound(d);
      return;
    case 'window':
    case 'grace':
      once3(d, `${name2}/${slotKey(slot)}`);
      return;
    case 'roster':
      onRosterTimeout(d, slot);
      return;
    case 'certify':
      if (d.phase.name === 'certifying') burn(d, 'certificate-missing');
      return;
    case 'session':
      if (d.phase.name === 'session' && slotKey(d.phase.session.slot) === slotKey(slot)) {
        drive(d, { kind: 'timer', timer: rest.join('/') });
      }
      return;
    default:
  }
}
function onOutcome(d) {
  if (d.phase.name !== 'session') return;
  const { session } = d.phase;
  const { slot, roundId, config, state } = session;
  const { outcome } = state;
  if (outcome === void 0) return;
  if (outcome.kind === 'sum') {
    const survivors = outcome.survivors.map((member) => config.members[member].peer);
    notice(d, { kind: 'sum', round: roundOf(d), slot, survivors });
    d.phase = { name: 'applying', session };
    const { result } = outcome;
    const stateHash = stateHashOf(d);
    const round = roundOf(d);
    d.effects.push({
      kind: 'apply',
      roundId,
      result,
      survivors: survivors.length,
      stateHash,
      round,
    });
    return;
  }
  if (outcome.kind === 'retry') {
    const { reason } = outcome;
    const proven = reason !== 'never-masked';
    notice(d, { kind: 'retry', round: roundOf(d), slot, reason, proven });
    enterJoining(d, { ...slot, attempt: slot.attempt + 1 });
    advance3(d);
    return;
  }
  burn(d, outcome.reason);
}
function burn(d, reason) {
  if (d.phase.name !== 'session' && d.phase.name !== 'certifying') return;
  const { slot, roundId } = d.phase.session;
  const update = d.update;
  d.effects.push({ kind: 'journal', key: `burnt/${roundId}/${update.id}`, value: reason });
  notice(d, { kind: 'burnt', round: roundOf(d), slot, reason, update: update.id });
  d.slot = { restarts: slot.restarts + 1, attempt: 0 };
  if (d.config.canary === 'reuse-update') {
    enterJoining(d, d.slot);
    return;
  }
  dropUpdate(d);
  beginRound(d);
}
function dropUpdate(d) {
  for (const key of d.joined) d.barred = withItem(d.barred, barKey(d, parseSlot(key)));
  d.joined = /* @__PURE__ */ new Set();
  d.update = void 0;
}
function adoptChain(d, chain, own) {
  const from = firstDifference(chain, d.chain);
  d.effects.push({ kind: 'store-chain', from, certificates: chain.slice(from) });
  for (let restarts = 0; restarts <= d.slot.restarts; restarts++) {
    d.effects.push({ kind: 'release', roundId: currentRoundId(d, restarts) });
  }
  if (from < d.chain.length) notice(d, { kind: 'rolled-back', toRound: from });
  for (const certificate2 of chain.slice(from)) noticeCertified(d, certificate2, own);
  dropUpdate(d);
  d.chain = chain;
  d.slot = { restarts: 0, attempt: 0 };
  d.pool = emptyPool;
  d.marks = /* @__PURE__ */ new Set();
  const last = chain.at(-1);
  const certificate = statementHash(last.statement);
  d.effects.push({ kind: 'gossip', message: { kind: 'head', round: chain.length, certificate } });
  armPull(d);
  beginRound(d);
  const early = d.early;
  d.early = [];
  for (const envelope of early) onEnvelope(d, envelope);
}
function noticeCertified(d, certificate, own) {
  const hash2 = statementHash(certificate.statement);
  notice(d, { kind: 'certified', certificate, hash: hash2, own });
}

export {
  addMasks,
  applyMean,
  bytesOfWords,
  CHUNK_PROTOCOL,
  certificateCodec,
  chunkHeaderCodec,
  chunkLayout,
  consentTo,
  createEngine,
  decodeMetrics,
  decodeState,
  dequantiseSum,
  encodeMetrics,
  encodeState,
  engineStep,
  examplesMax,
  FEDAVG,
  fromBitmap,
  gossipCodec,
  hashHex,
  initialState,
  isSettled,
  jobsTopic,
  jobTopic,
  keystream,
  METRIC_COORDINATES,
  manifestFault,
  maskTo,
  missingFrom,
  openEnvelope,
  packWords,
  parsePeerId,
  parseSlot,
  proofCodec,
  quantise,
  readJob,
  ringBudget,
  roundOf,
  Secret,
  SYNC_ANSWER_BYTES_MAX,
  SYNC_PROTOCOL,
  sha256,
  signingKeyFromSeed,
  signManifest,
  slotKey,
  stateHashOf,
  statementHash,
  sumInto,
  survivorCount,
  syncAnswerCodec,
  syncRequestCodec,
  unpackWords,
  updateCodec,
};
//# sourceMappingURL=chunk-EMDBR6KR.js.map
