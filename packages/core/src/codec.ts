import { equalBytes } from './bytes.ts';
import { assert, DecodeError } from './errors.ts';
import { packWire, unpackWire, type Wire } from './msgpack.ts';

/**
 * How a type is written to and read from canonical bytes. Structures are positional lists, so a
 * value has exactly one encoding; `decodeCanonical` proves it by encoding again.
 */
export interface Codec<T> {
  readonly write: (value: T) => Wire;
  /** @throws DecodeError naming `field` */
  readonly read: (wire: unknown, field: string) => T;
}
export type Decoded<C> = C extends Codec<infer T> ? T : never;

export function encodeCanonical<T>(codec: Codec<T>, value: T): Uint8Array {
  return packWire(codec.write(value));
}

/** @throws DecodeError, and nothing else, on any input that is not the one encoding of a `T` */
export function decodeCanonical<T>(codec: Codec<T>, bytes: Uint8Array, bytesMax: number): T {
  if (bytes.length > bytesMax) {
    throw new DecodeError('message', `${bytes.length} bytes, at most ${bytesMax}`);
  }
  const value = codec.read(unpackWire(bytes), 'message');
  if (!equalBytes(encodeCanonical(codec, value), bytes)) {
    throw new DecodeError('message', 'not the canonical encoding');
  }
  return value;
}

/** Integers from 0 to `max` (2^32 − 1 at most). */
export function u32(max = 0xffffffff): Codec<number> {
  return {
    write: (value) => {
      assert(Number.isInteger(value) && value >= 0 && value <= max, `${value} is not in 0…${max}`);
      return value;
    },
    read: (wire, field) => {
      if (typeof wire !== 'number' || !Number.isInteger(wire) || wire < 0 || wire > max) {
        throw new DecodeError(field, `expected an integer in 0…${max}`);
      }
      return wire;
    },
  };
}

/** Finite float64; minus zero has no encoding. */
export const f64: Codec<number> = {
  write: (value) => {
    assert(Number.isFinite(value), `${value} is not finite`);
    return value === 0 ? 0 : value;
  },
  read: (wire, field) => {
    if (typeof wire !== 'number' || !Number.isFinite(wire) || Object.is(wire, -0)) {
      throw new DecodeError(field, 'expected a finite number');
    }
    return wire;
  },
};

export const bool: Codec<boolean> = {
  write: (value) => value,
  read: (wire, field) => {
    if (typeof wire !== 'boolean') throw new DecodeError(field, 'expected a boolean');
    return wire;
  },
};

/** A byte string of `min` to `max` bytes; what is read is a copy. */
export function bytes(min: number, max: number = min): Codec<Uint8Array> {
  return {
    write: (value) => {
      assert(
        value.length >= min && value.length <= max,
        `${value.length} bytes, want ${min}…${max}`,
      );
      return value;
    },
    read: (wire, field) => {
      if (!(wire instanceof Uint8Array) || wire.length < min || wire.length > max) {
        throw new DecodeError(field, `expected ${min === max ? min : `${min}…${max}`} bytes`);
      }
      return new Uint8Array(wire);
    },
  };
}

/** Text of at most `max` UTF-16 units. */
export function text(max: number): Codec<string> {
  return {
    write: (value) => {
      assert(value.length <= max, `${value.length} characters, at most ${max}`);
      return value;
    },
    read: (wire, field) => {
      if (typeof wire !== 'string' || wire.length > max) {
        throw new DecodeError(field, `expected text of at most ${max} characters`);
      }
      return wire;
    },
  };
}

export function list<T>(item: Codec<T>, max: number): Codec<readonly T[]> {
  return {
    write: (value) => {
      assert(value.length <= max, `${value.length} items, at most ${max}`);
      return value.map((entry) => item.write(entry));
    },
    read: (wire, field) => {
      if (!Array.isArray(wire) || wire.length > max) {
        throw new DecodeError(field, `expected at most ${max} items`);
      }
      return wire.map((entry, i) => item.read(entry, `${field}[${i}]`));
    },
  };
}

export function nullable<T>(inner: Codec<T>): Codec<T | null> {
  return {
    write: (value) => (value === null ? null : inner.write(value)),
    read: (wire, field) => (wire === null ? null : inner.read(wire, field)),
  };
}

type StructOf<F> = { readonly [K in keyof F]: F[K] extends Codec<infer T> ? T : never };

// A codec is invariant in its type, so "some codec" has no other name in TypeScript.
// biome-ignore lint/suspicious/noExplicitAny: see above
type AnyCodec = Codec<any>;

/** A structure as the list of its fields in the order of `fields`. */
export function struct<F extends { readonly [key: string]: AnyCodec }>(
  fields: F,
): Codec<StructOf<F>> {
  const keys = Object.keys(fields);
  return {
    write: (value) => keys.map((key) => fields[key]!.write(value[key as keyof F])),
    read: (wire, field) => {
      if (!Array.isArray(wire) || wire.length !== keys.length) {
        throw new DecodeError(field, `expected ${keys.length} fields`);
      }
      const out: Record<string, unknown> = {};
      for (const [i, key] of keys.entries())
        out[key] = fields[key]!.read(wire[i], `${field}.${key}`);
      return out as StructOf<F>;
    },
  };
}

/** One of `names`, written as its index; appending a name keeps old encodings. */
export function oneOf<const N extends readonly string[]>(names: N): Codec<N[number]> {
  const index = u32(names.length - 1);
  return {
    write: (value) => index.write(names.indexOf(value)),
    read: (wire, field) => names[index.read(wire, field)] as N[number],
  };
}

type UnionOf<C> = {
  [K in keyof C]: C[K] extends Codec<infer T> ? { readonly kind: K } & T : never;
}[keyof C];

/** A tagged union: `[index of kind, fields of that kind]`. The tag is the property `kind`. */
export function union<C extends { readonly [kind: string]: AnyCodec }>(
  cases: C,
): Codec<UnionOf<C>> {
  const kinds = Object.keys(cases);
  const index = u32(kinds.length - 1);
  return {
    write: (value) => {
      const kind = (value as { kind: string }).kind;
      return [index.write(kinds.indexOf(kind)), cases[kind]!.write(value)];
    },
    read: (wire, field) => {
      if (!Array.isArray(wire) || wire.length !== 2)
        throw new DecodeError(field, 'expected a case');
      const kind = kinds[index.read(wire[0], `${field}.kind`)]!;
      return { kind, ...cases[kind]!.read(wire[1], `${field}.${kind}`) } as UnionOf<C>;
    },
  };
}

/** `inner` seen through a reversible mapping; `to` may throw DecodeError. */
export function mapped<A, B>(
  inner: Codec<A>,
  to: (value: A, field: string) => B,
  from: (value: B) => A,
): Codec<B> {
  return {
    write: (value) => inner.write(from(value)),
    read: (wire, field) => to(inner.read(wire, field), field),
  };
}
