/**
 * Reads the compact form of Thrift, as far as a page header of Parquet needs it: whole numbers and
 * structures. https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
 */

/** By their numbers; what is neither a whole number nor a structure is left out. */
export type ThriftFields = ReadonlyMap<number, number | ThriftFields>;

const DEPTH_MAX = 8;
/** Bytes of a number of 64 bits. */
const VARINT_BYTES_MAX = 10;

/** Thrown at what is no Thrift; the caller knows where it stood. */
export class ThriftError extends Error {
  override readonly name = 'ThriftError';
}

export class ThriftReader {
  readonly #bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  /** @throws ThriftError */
  struct(depth = 0): ThriftFields {
    if (depth > DEPTH_MAX) throw new ThriftError('structures too deep');
    const fields = new Map<number, number | ThriftFields>();
    let id = 0;
    for (;;) {
      const header = this.#byte();
      const type = header & 15;
      if (type === 0) return fields;
      id = header >> 4 === 0 ? this.#zigzag() : id + (header >> 4);
      const value = this.#value(type, depth);
      if (value !== undefined) fields.set(id, value);
    }
  }

  #value(type: number, depth: number): number | ThriftFields | undefined {
    switch (type) {
      case 1:
      case 2:
        return undefined;
      case 3:
        this.#skip(1);
        return undefined;
      case 4:
      case 5:
      case 6:
        return this.#zigzag();
      case 7:
        this.#skip(8);
        return undefined;
      case 8:
        this.#skip(this.#varint());
        return undefined;
      case 9:
      case 10:
        return this.#list(depth);
      case 12:
        return this.struct(depth + 1);
      default:
        throw new ThriftError(`a field of kind ${type}`);
    }
  }

  #list(depth: number): undefined {
    const header = this.#byte();
    const count = header >> 4 === 15 ? this.#varint() : header >> 4;
    const type = header & 15;
    for (let i = 0; i < count; i++) {
      // In a list a truth takes a byte.
      if (type === 1 || type === 2) this.#skip(1);
      else this.#value(type, depth + 1);
    }
    return undefined;
  }

  #byte(): number {
    const byte = this.#bytes[this.at++];
    if (byte === undefined) throw new ThriftError('it ends in the middle');
    return byte;
  }

  #skip(count: number): void {
    if (count > this.#bytes.length - this.at) throw new ThriftError('it ends in the middle');
    this.at += count;
  }

  #varint(): number {
    let value = 0;
    for (let i = 0; i < VARINT_BYTES_MAX; i++) {
      const byte = this.#byte();
      value += (byte & 127) * 2 ** (7 * i);
      if (byte < 128) return value;
    }
    throw new ThriftError('a number of more than 64 bits');
  }

  #zigzag(): number {
    const value = this.#varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}
