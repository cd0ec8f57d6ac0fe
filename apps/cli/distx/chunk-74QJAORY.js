// packages/core/src/errors.ts
var ConfigError = class extends Error {
  name = 'ConfigError';
  key;
  /** @param hint what to do next, in one sentence */
  constructor(key, message, hint) {
    super(hint === void 0 ? `${key}: ${message}` : `${key}: ${message}. ${hint}`);
    this.key = key;
  }
};
var ProtocolError = class extends Error {
  name = 'ProtocolError';
  code;
  constructor(code, message) {
    super(message);
    this.code = code;
  }
};
var DecodeError = class extends ProtocolError {
  name = 'DecodeError';
  constructor(field, message) {
    super('decode', `${field}: ${message}`);
  }
};
var InvariantError = class extends Error {
  name = 'InvariantError';
};
function assert(condition, message) {
  if (!condition) throw new InvariantError(message);
}
function unreachable(value) {
  throw new InvariantError(`unreachable case: ${JSON.stringify(value)}`);
}
function errorMessage(error) {
  return error instanceof Error ? error.message : String(error);
}

// packages/core/src/bytes.ts
var HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));
function toHex(bytes2) {
  let out = '';
  for (const byte of bytes2) out += HEX[byte];
  return out;
}
function digit(code) {
  if (code >= 48 && code <= 57) return code - 48;
  return code >= 97 && code <= 102 ? code - 87 : -1;
}
function fromHex(text2) {
  const out = new Uint8Array(text2.length >> 1);
  let sound = text2.length % 2 === 0;
  for (let i = 0; i < out.length; i++) {
    const high = digit(text2.charCodeAt(2 * i));
    const low = digit(text2.charCodeAt(2 * i + 1));
    sound &&= high >= 0 && low >= 0;
    out[i] = high * 16 + low;
  }
  assert(sound, `not lower-case hex: ${text2.slice(0, 80)}`);
  return out;
}
var encoder = new TextEncoder();
var utf8 = (text2) => encoder.encode(text2);
function concatBytes(...parts) {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
function equalBytes(a, b) {
  return compareBytes(a, b) === 0;
}
function compareBytes(a, b) {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = a[i] - b[i];
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
var compareText = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
function u32be(value) {
  assert(Number.isInteger(value) && value >= 0 && value < 2 ** 32, `not a uint32: ${value}`);
  return new Uint8Array([value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]);
}

// packages/core/src/msgpack.ts
import { Packr } from 'msgpackr';

// packages/core/src/limits.ts
var LIMITS = {
  /** Bytes of one control message, gossiped or sent (design decision 13). */
  controlBytesMax: 64 * 1024,
  /** Bytes of a request's or a response's body on a direct stream. */
  bodyBytesMax: 512 * 1024 * 1024,
  /** Bytes of one frame on a direct stream. */
  frameBytesMax: 1024 * 1024,
  /** Peers of one cell, hard cap. */
  cellPeersMax: 128,
  /** Coordinates of a job's vector. */
  vectorLengthMax: 64 * 1024 * 1024,
  /** Chunks into which one vector is cut. */
  chunksMax: 1024,
  /** Nesting of a canonical value. */
  codecDepthMax: 12,
  /** Items (scalars and lists) of a canonical value. */
  codecItemsMax: 32 * 1024,
};

// packages/core/src/msgpack.ts
var packr = new Packr({ useRecords: false, moreTypes: false, variableMapSize: true });
var packWire = (value) => new Uint8Array(packr.pack(value));
function unpackWire(bytes2) {
  scan(bytes2);
  try {
    return packr.unpack(bytes2.subarray());
  } catch {
    throw new DecodeError('message', 'not MessagePack');
  }
}
function head(lead) {
  if (lead <= 127 || lead >= 224) return { prefix: 0, kind: 'fixed', size: 0 };
  if (lead >= 144 && lead <= 159) return { prefix: 0, kind: 'list', size: lead & 15 };
  if (lead >= 160 && lead <= 191) return { prefix: 0, kind: 'blob', size: lead & 31 };
  const known = HEADS.get(lead);
  if (known === void 0) {
    throw new DecodeError('message', `type byte 0x${lead.toString(16)} is not in the subset`);
  }
  return known;
}
var HEADS = /* @__PURE__ */ new Map([
  [192, { prefix: 0, kind: 'fixed', size: 0 }],
  [194, { prefix: 0, kind: 'fixed', size: 0 }],
  [195, { prefix: 0, kind: 'fixed', size: 0 }],
  [196, { prefix: 1, kind: 'blob', size: 0 }],
  [197, { prefix: 2, kind: 'blob', size: 0 }],
  [198, { prefix: 4, kind: 'blob', size: 0 }],
  [203, { prefix: 0, kind: 'fixed', size: 8 }],
  [204, { prefix: 0, kind: 'fixed', size: 1 }],
  [205, { prefix: 0, kind: 'fixed', size: 2 }],
  [206, { prefix: 0, kind: 'fixed', size: 4 }],
  [208, { prefix: 0, kind: 'fixed', size: 1 }],
  [209, { prefix: 0, kind: 'fixed', size: 2 }],
  [210, { prefix: 0, kind: 'fixed', size: 4 }],
  [217, { prefix: 1, kind: 'blob', size: 0 }],
  [218, { prefix: 2, kind: 'blob', size: 0 }],
  [220, { prefix: 2, kind: 'list', size: 0 }],
]);
function scan(bytes2) {
  let at = 0;
  let items = 0;
  const open = [1];
  while (open.length > 0) {
    const left = open.pop();
    if (left === 0) continue;
    open.push(left - 1);
    if (++items > LIMITS.codecItemsMax) throw new DecodeError('message', 'too many items');
    if (at >= bytes2.length) throw new DecodeError('message', 'ends early');
    const { prefix, kind, size } = head(bytes2[at++]);
    let length = size;
    for (let i = 0; i < prefix; i++) length = length * 256 + (bytes2[at++] ?? Number.NaN);
    if (kind === 'list') {
      if (open.length >= LIMITS.codecDepthMax) throw new DecodeError('message', 'nested too deep');
      open.push(length);
    } else {
      at += length;
    }
    if (!(at <= bytes2.length)) throw new DecodeError('message', 'ends early');
  }
  if (at !== bytes2.length) throw new DecodeError('message', 'bytes after the end');
}

// packages/core/src/codec.ts
function encodeCanonical(codec, value) {
  return packWire(codec.write(value));
}
function decodeCanonical(codec, bytes2, bytesMax) {
  if (bytes2.length > bytesMax) {
    throw new DecodeError('message', `${bytes2.length} bytes, at most ${bytesMax}`);
  }
  const value = codec.read(unpackWire(bytes2), 'message');
  if (!equalBytes(encodeCanonical(codec, value), bytes2)) {
    throw new DecodeError('message', 'not the canonical encoding');
  }
  return value;
}
function u32(max = 4294967295) {
  return {
    write: (value) => {
      assert(
        Number.isInteger(value) && value >= 0 && value <= max,
        `${value} is not in 0\u2026${max}`,
      );
      return value;
    },
    read: (wire, field) => {
      if (typeof wire !== 'number' || !Number.isInteger(wire) || wire < 0 || wire > max) {
        throw new DecodeError(field, `expected an integer in 0\u2026${max}`);
      }
      return wire;
    },
  };
}
var f64 = {
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
function bytes(min, max = min) {
  return {
    write: (value) => {
      assert(
        value.length >= min && value.length <= max,
        `${value.length} bytes, want ${min}\u2026${max}`,
      );
      return value;
    },
    read: (wire, field) => {
      if (!(wire instanceof Uint8Array) || wire.length < min || wire.length > max) {
        throw new DecodeError(field, `expected ${min === max ? min : `${min}\u2026${max}`} bytes`);
      }
      return new Uint8Array(wire);
    },
  };
}
function text(max) {
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
function list(item, max) {
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
function nullable(inner) {
  return {
    write: (value) => (value === null ? null : inner.write(value)),
    read: (wire, field) => (wire === null ? null : inner.read(wire, field)),
  };
}
function struct(fields) {
  const keys = Object.keys(fields);
  return {
    write: (value) => keys.map((key) => fields[key].write(value[key])),
    read: (wire, field) => {
      if (!Array.isArray(wire) || wire.length !== keys.length) {
        throw new DecodeError(field, `expected ${keys.length} fields`);
      }
      const out = {};
      for (const [i, key] of keys.entries())
        out[key] = fields[key].read(wire[i], `${field}.${key}`);
      return out;
    },
  };
}
function oneOf(names) {
  const index = u32(names.length - 1);
  return {
    write: (value) => index.write(names.indexOf(value)),
    read: (wire, field) => names[index.read(wire, field)],
  };
}
function union(cases) {
  const kinds = Object.keys(cases);
  const index = u32(kinds.length - 1);
  return {
    write: (value) => {
      const kind = value.kind;
      return [index.write(kinds.indexOf(kind)), cases[kind].write(value)];
    },
    read: (wire, field) => {
      if (!Array.isArray(wire) || wire.length !== 2)
        throw new DecodeError(field, 'expected a case');
      const kind = kinds[index.read(wire[0], `${field}.kind`)];
      return { kind, ...cases[kind].read(wire[1], `${field}.${kind}`) };
    },
  };
}
function mapped(inner, to, from) {
  return {
    write: (value) => inner.write(from(value)),
    read: (wire, field) => to(inner.read(wire, field), field),
  };
}

// packages/core/src/ids.ts
var millis = (value) => value;
var hash = /^[0-9a-f]{64}$/;
var isHash = (text2) => hash.test(text2);

export {
  assert,
  bytes,
  ConfigError,
  compareText,
  concatBytes,
  decodeCanonical,
  encodeCanonical,
  equalBytes,
  errorMessage,
  f64,
  fromHex,
  InvariantError,
  isHash,
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
};
//# sourceMappingURL=chunk-74QJAORY.js.map
