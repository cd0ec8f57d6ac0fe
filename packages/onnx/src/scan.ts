import { ProtocolError } from '@starling/core';
import { MODEL_LIMITS } from './limits.ts';

/** What a length-delimited field holds: text or bytes, packed numbers, or a message by name. */
type Fields = Readonly<Record<number, string>>;

const fields = (list: string): Fields =>
  Object.fromEntries(list.split(' ').map((entry) => entry.split(':')));

/**
 * Length-delimited fields of onnx.proto: message, then field number and content. What is not listed
 * counts as if it were made of the smallest messages.
 */
const MESSAGES: ReadonlyMap<string, Fields> = new Map([
  ['model', fields('2:text 3:text 4:text 6:text 7:graph 8:pair 14:pair 25:function')],
  ['graph', fields('1:node 2:text 5:tensor 10:text 11:value 12:value 13:value 16:pair')],
  ['node', fields('1:text 2:text 3:text 4:text 5:attribute 6:text 7:text 8:text 9:pair')],
  [
    'attribute',
    fields('1:text 4:text 5:tensor 6:graph 7:floats 8:integers 9:text 13:text 21:text'),
  ],
  ['tensor', fields('1:integers 4:floats 5:integers 7:integers 8:text 9:text 10:floats 12:text')],
  [
    'function',
    fields('1:text 4:text 5:text 6:text 7:node 8:text 9:pair 10:text 11:attribute 12:value'),
  ],
  ['value', fields('1:text 2:type 3:text 4:pair')],
  ['type', fields('1:tensorType 6:text')],
  ['tensorType', fields('2:shape')],
  ['shape', fields('1:pair')],
  ['pair', fields('1:text 2:text 3:text')],
]);

/** Objects of a decoder for each byte of a field, at most. */
const PER_BYTE: Readonly<Record<string, number>> = { text: 0, floats: 0, integers: 1 };
/** The smallest message has a tag and a length. */
const PER_BYTE_UNKNOWN = 1 / 2;
const DEPTH_MAX = 64;

/**
 * Walks the wire format and counts what a decoder would make of it: two bytes can become an object
 * of hundreds, so a small file could fill the memory.
 * @throws ProtocolError `model-corrupt` where a field runs past its end, `model-limit`
 */
export function scanModel(bytes: Uint8Array): void {
  const objects = new Scanner(bytes).message('model', 0, bytes.length, 0);
  if (objects > MODEL_LIMITS.objectsMax) {
    throw new ProtocolError('model-limit', `a file of ${Math.round(objects)} parts`);
  }
}

class Scanner {
  readonly #bytes: Uint8Array;
  #at = 0;
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Objects of the message between two offsets. */
  message(name: string, start: number, end: number, depth: number): number {
    if (depth > DEPTH_MAX) throw new ProtocolError('model-limit', 'messages nest too deeply');
    const known = MESSAGES.get(name);
    let objects = 1;
    this.#at = start;
    while (this.#at < end) {
      const tag = this.#varint(end);
      objects++;
      const content = known?.[Math.floor(tag / 8)] ?? 'unknown';
      const size = this.#sizeOf(tag % 8, end);
      if (size > end - this.#at) this.#corrupt();
      const from = this.#at;
      if (tag % 8 === 2) {
        objects += MESSAGES.has(content)
          ? this.message(content, from, from + size, depth + 1)
          : size * (PER_BYTE[content] ?? PER_BYTE_UNKNOWN);
      }
      this.#at = from + size;
    }
    return objects;
  }

  /** Bytes of a field's value, for a length-delimited one behind its length. */
  #sizeOf(wireType: number, end: number): number {
    switch (wireType) {
      case 0:
        this.#varint(end);
        return 0;
      case 1:
        return 8;
      case 2:
        return this.#varint(end);
      case 5:
        return 4;
      default:
        return this.#corrupt();
    }
  }

  #varint(end: number): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#at >= end) this.#corrupt();
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return this.#corrupt();
  }

  #corrupt(): never {
    throw new ProtocolError('model-corrupt', `not an ONNX file: cut off or broken at ${this.#at}`);
  }
}
