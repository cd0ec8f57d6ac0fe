/** Changes protobuf messages by their structure: fields, varints, lengths and nesting. */
import { type Dice, type Mutator, mixed } from './mutate.ts';

type Value =
  | { kind: 'varint'; value: bigint }
  | { kind: 'fixed'; bytes: Uint8Array }
  | { kind: 'bytes'; bytes: Uint8Array; lie?: bigint }
  | { kind: 'message'; fields: Field[]; lie?: bigint };
interface Field {
  number: bigint;
  value: Value;
}

const EDGES = [
  0n,
  1n,
  2n,
  16n,
  127n,
  128n,
  2n ** 24n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n,
  2n ** 53n,
  2n ** 62n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];
const DEPTH_MAX = 12;

function readVarint(bytes: Uint8Array, at: number): [bigint, number] | undefined {
  let value = 0n;
  for (let i = 0; i < 10; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return undefined;
    value |= BigInt(byte & 127) << BigInt(7 * i);
    if (byte < 128) return [BigInt.asUintN(64, value), at + i + 1];
  }
  return undefined;
}

/** The fields of a message; undefined when the bytes are none. */
function readFields(bytes: Uint8Array, depth = 0): Field[] | undefined {
  const fields: Field[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = readVarint(bytes, at);
    const found = tag && readValue(bytes, tag[1], Number(tag[0] & 7n), depth);
    if (tag === undefined || found === undefined || tag[0] < 8n) return undefined;
    fields.push({ number: tag[0] >> 3n, value: found[0] });
    at = found[1];
  }
  return fields;
}

function readValue(
  bytes: Uint8Array,
  at: number,
  wire: number,
  depth: number,
): [Value, number] | undefined {
  if (wire === 0) {
    const varint = readVarint(bytes, at);
    return varint && [{ kind: 'varint', value: varint[0] }, varint[1]];
  }
  if (wire === 1 || wire === 5) {
    const end = at + (wire === 1 ? 8 : 4);
    return end > bytes.length ? undefined : [{ kind: 'fixed', bytes: bytes.slice(at, end) }, end];
  }
  const length = wire === 2 ? readVarint(bytes, at) : undefined;
  if (length === undefined || length[0] > BigInt(bytes.length - length[1])) return undefined;
  const end = length[1] + Number(length[0]);
  const payload = bytes.slice(length[1], end);
  const fields =
    depth < DEPTH_MAX && payload.length > 1 ? readFields(payload, depth + 1) : undefined;
  return [fields ? { kind: 'message', fields } : { kind: 'bytes', bytes: payload }, end];
}

function writeVarint(value: bigint): Uint8Array {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest > 127n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
  return Uint8Array.from([...out, Number(rest)]);
}

function writeFields(fields: readonly Field[]): Uint8Array {
  const parts = fields.flatMap(({ number, value }) => {
    const wire =
      value.kind === 'varint' ? 0n : value.kind === 'fixed' ? fixedWire(value.bytes) : 2n;
    const tag = writeVarint((number << 3n) | wire);
    if (value.kind === 'varint') return [tag, writeVarint(value.value)];
    if (value.kind === 'fixed') return [tag, value.bytes];
    const payload = value.kind === 'bytes' ? value.bytes : writeFields(value.fields);
    return [tag, writeVarint(value.lie ?? BigInt(payload.length)), payload];
  });
  return new Uint8Array(Buffer.concat(parts));
}

const fixedWire = (bytes: Uint8Array): bigint => (bytes.length === 8 ? 1n : 5n);

/** All lists of fields, the outermost first. */
function messagesOf(fields: Field[]): Field[][] {
  const inner = fields.flatMap(({ value }) =>
    value.kind === 'message' ? messagesOf(value.fields) : [],
  );
  return [fields, ...inner];
}

function changeValue(dice: Dice, field: Field, strings: readonly Uint8Array[]): void {
  const { value } = field;
  if (value.kind === 'varint') {
    const step = BigInt(dice.below(5)) - 2n;
    value.value = dice.chance(0.5) ? dice.pick(EDGES) : value.value + step;
  } else if (dice.chance(0.1) && value.kind !== 'fixed') {
    value.lie = dice.pick(EDGES);
  } else if (value.kind === 'bytes' && dice.chance(0.5)) {
    // Names and operators of the same file keep the graph connected.
    value.bytes = dice.pick(strings);
  } else {
    const choices: readonly Value[] = [
      { kind: 'varint', value: dice.pick(EDGES) },
      { kind: 'fixed', bytes: dice.bytes(dice.pick([4, 8])) },
      { kind: 'bytes', bytes: dice.bytes(dice.below(20)) },
      { kind: 'message', fields: [structuredClone(field)] },
    ];
    field.value = dice.pick(choices);
  }
}

function changeFields(dice: Dice, fields: Field[], all: readonly Field[][]): void {
  const i = dice.below(fields.length);
  const gifts = dice.pick(all);
  const strings = all.flatMap((message) =>
    message.flatMap(({ value }) => (value.kind === 'bytes' ? [value.bytes] : [])),
  );
  switch (fields.length === 0 ? 3 : dice.below(8)) {
    case 0:
      fields.splice(i, 1);
      return;
    case 1:
      fields.splice(i, 0, structuredClone(fields[i]!));
      return;
    case 2:
      [fields[0], fields[i]] = [fields[i]!, fields[0]!];
      return;
    case 3:
      if (gifts.length > 0) fields.push(structuredClone(dice.pick(gifts)));
      return;
    case 4:
      fields[i]!.number = dice.chance(0.5)
        ? BigInt(1 + dice.below(30))
        : (dice.pick(EDGES) & 0x1fffffffn) | 1n;
      return;
    default:
      changeValue(dice, fields[i]!, strings.length > 0 ? strings : [new Uint8Array(0)]);
  }
}

export const mutateProtobuf: Mutator = mixed((dice, input, others) => {
  const root = readFields(input);
  if (root === undefined) return dice.pick(others);
  const donors = [...messagesOf(root), ...messagesOf(readFields(dice.pick(others)) ?? [])];
  for (let left = 1 + dice.below(4); left > 0; left--) {
    changeFields(dice, dice.pick(messagesOf(root)), donors);
  }
  return writeFields(root);
});
