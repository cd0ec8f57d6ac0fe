import { createGenerator } from '@starling/autodiff';
import { ProtocolError } from '@starling/core';
import { DATA_TYPES, type DataType, elementCount, inferenceModel, readModel } from '@starling/onnx';
import type { InferenceSession } from 'onnxruntime-node';
import type { Device } from '../device.ts';
import { createSession, loadOrt } from '../ort.ts';
import {
  type InferenceTrial,
  type LoadedModel,
  type TensorHeader,
  type TensorSpec,
  tensorBytes,
  tensorsOf,
} from './frames.ts';

export interface RunOutput extends TensorHeader {
  readonly bytes: Uint8Array;
}

/** A model in this process. */
export interface LocalModel {
  readonly loaded: LoadedModel;
  /** @param body the inputs' raw elements, each padded to eight bytes; aligned */
  run(inputs: readonly TensorHeader[], body: Uint8Array): Promise<readonly RunOutput[]>;
}

interface Place {
  readonly device: Device;
  readonly threads: number;
}

type Ort = Awaited<ReturnType<typeof loadOrt>>;

/**
 * Reads an ONNX file, brings it into the form for inference and makes a session of it.
 * @throws ProtocolError for a file that is beyond the limits, or of values that are no tensors
 */
export async function openLocalModel(bytes: Uint8Array, place: Place): Promise<LocalModel> {
  const ort = await loadOrt();
  const session = await sessionOf(bytes, place);
  const inputs = session.inputMetadata.map(specOf);
  const outputs = session.outputMetadata.map(specOf);
  const raw = new RawSession(ort, session);
  const run: Run = (given, body) => raw.run(given, body);
  const unbatchable = await reasonAgainstBatches({ inputs, outputs }, run);
  return { loaded: { inputs, outputs, unbatchable }, run };
}

function sessionOf(bytes: Uint8Array, { device, threads }: Place): Promise<InferenceSession> {
  return createSession(readModel(inferenceModel(bytes)), threads, { device });
}

function specOf(metadata: InferenceSession.ValueMetadata): TensorSpec {
  const { name } = metadata;
  const known = metadata.isTensor && DATA_TYPES.find((type) => type === metadata.type);
  if (!known) throw new ProtocolError('model-failed', `"${name}" is no tensor of numbers`);
  const shape = metadata.shape.map((size) => (typeof size === 'number' ? size : null));
  return { name, dtype: known, shape };
}

const VIEWS = {
  ...{ float32: Float32Array, float64: Float64Array, int32: Int32Array, int64: BigInt64Array },
  ...{ uint8: Uint8Array, int8: Int8Array, bool: Uint8Array },
} as const satisfies Readonly<Record<DataType, unknown>>;

type Feeds = Record<string, InstanceType<Ort['Tensor']>>;

/** A session that takes raw elements. */
class RawSession {
  readonly #ort: Ort;
  readonly #session: InferenceSession;
  /** What the last run was fed: its tensors look at bytes that the next run may find changed. */
  #last:
    | { readonly inputs: readonly TensorHeader[]; readonly body: Uint8Array; feeds: Feeds }
    | undefined;

  constructor(ort: Ort, session: InferenceSession) {
    this.#ort = ort;
    this.#session = session;
  }

  async run(inputs: readonly TensorHeader[], body: Uint8Array): Promise<readonly RunOutput[]> {
    const results = await this.#session.run(this.#feeds(inputs, body));
    return this.#session.outputNames.map((name) => {
      const { type, dims, data } = results[name]!;
      const { buffer, byteOffset, byteLength } = data as Float32Array;
      const bytes = new Uint8Array(buffer, byteOffset, byteLength);
      return { name, dtype: type as DataType, shape: dims, bytes };
    });
  }

  #feeds(inputs: readonly TensorHeader[], body: Uint8Array): Feeds {
    const last = this.#last;
    const isSame =
      last?.inputs === inputs &&
      last.body.buffer === body.buffer &&
      last.body.byteOffset === body.byteOffset;
    if (isSame) return last.feeds;
    const feeds: Feeds = {};
    for (const { name, dtype, shape, bytes } of tensorsOf(inputs, body)) {
      const { buffer, byteOffset } = bytes;
      const data = new VIEWS[dtype](buffer as ArrayBuffer, byteOffset, elementCount(shape));
      feeds[name] = new this.#ort.Tensor(dtype, data as Float32Array, shape);
    }
    this.#last = { inputs, body, feeds };
    return feeds;
  }
}

type Run = LocalModel['run'];

/** Of open dimensions beside the first, such as the length of a text. */
const OPEN_SIZE = 4;
const SEED = 1;
/** Between rows that ran together and alone: kernels add in another order. */
const TOLERANCE = 1e-3;

/**
 * Whether rows of several requests may run together is tried, since a file does not say what its
 * first axis is: two rows must give together what each gives alone.
 */
async function reasonAgainstBatches(
  { inputs, outputs }: Pick<LoadedModel, 'inputs' | 'outputs'>,
  run: Run,
): Promise<string | null> {
  const fixed = [...inputs, ...outputs].find(({ shape }) => shape[0] !== null);
  if (fixed !== undefined) return `the first axis of "${fixed.name}" is not open`;
  try {
    const both = trialInputs(inputs, 2);
    const together = await run(both.headers, both.body);
    for (const row of [0, 1]) {
      const one = rowOf(both, row);
      const alone = await run(one.headers, one.body);
      const differing = together.find((output, i) => !isRow(output, row, alone[i]!));
      if (differing !== undefined) return `the rows of "${differing.name}" depend on one another`;
    }
    return null;
  } catch (error) {
    return `two made-up rows do not run (${(error as Error).message})`;
  }
}

interface TrialInputs {
  readonly headers: readonly TensorHeader[];
  readonly body: Uint8Array;
}

function joined(tensors: readonly RunOutput[]): TrialInputs {
  const pads = tensors.map(({ bytes }) => Buffer.alloc((8 - (bytes.length % 8)) % 8));
  const pieces = tensors.flatMap(({ bytes }, i) => [bytes, pads[i]!]);
  // A buffer of its own: one of Node's pool need not be aligned.
  return { headers: tensors, body: new Uint8Array(Buffer.concat(pieces)) };
}

/** Small numbers, and of whole ones 0 and 1, which any table of tokens has. */
function trialInputs(inputs: readonly TensorSpec[], rows: number): TrialInputs {
  const generator = createGenerator(SEED);
  const tensors = inputs.map(({ name, dtype, shape }) => {
    const full = shape.map((size, axis) => size ?? (axis === 0 ? rows : OPEN_SIZE));
    const length = elementCount(full);
    const draw = (): number =>
      dtype.startsWith('float') ? generator.below(2001) / 1000 - 1 : generator.below(2);
    const data =
      dtype === 'int64'
        ? BigInt64Array.from({ length }, () => BigInt(draw()))
        : VIEWS[dtype].from(Array.from({ length }, draw));
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return { name, dtype, shape: full, bytes };
  });
  return joined(tensors);
}

function rowOf({ headers, body }: TrialInputs, row: number): TrialInputs {
  const rows = tensorsOf(headers, body).map(({ name, dtype, shape, bytes }) => {
    const one = { name, dtype, shape: [1, ...shape.slice(1)] };
    const length = tensorBytes(one);
    return { ...one, bytes: bytes.slice(row * length, (row + 1) * length) };
  });
  return joined(rows);
}

function isRow(together: RunOutput, row: number, alone: RunOutput): boolean {
  if (together.shape[0] !== 2 || alone.shape[0] !== 1) return false;
  const [all, own] = [valuesOf(together), valuesOf(alone)];
  if (all.length !== 2 * own.length) return false;
  return own.every((value, i) => {
    const other = all[row * own.length + i]!;
    if (Object.is(value, other)) return true;
    return Math.abs(value - other) <= TOLERANCE * Math.max(1, Math.abs(value));
  });
}

function valuesOf({ dtype, bytes }: RunOutput): readonly number[] {
  const whole = bytes.slice();
  return Array.from(new VIEWS[dtype](whole.buffer) as Iterable<number | bigint>, Number);
}

const TRIAL_RUNS = 5;
/** GPUs add in another order; a broken one is far off. */
const DEVICE_TOLERANCE = 1e-2;

/**
 * Runs a model on a device and on the CPU. It must be a process of its own: some faults of drivers
 * end it.
 * @throws ProtocolError `device-failed` where the numbers differ
 */
export async function tryModel(bytes: Uint8Array, place: Place): Promise<InferenceTrial> {
  const ort = await loadOrt();
  const there = await sessionOf(bytes, place);
  const here = await sessionOf(bytes, { ...place, device: 'cpu' });
  const { headers, body } = trialInputs(here.inputMetadata.map(specOf), 1);
  const timed = async (session: InferenceSession) => {
    // The first run compiles shaders.
    let outputs = await new RawSession(ort, session).run(headers, body);
    const times: number[] = [];
    for (let i = 0; i < TRIAL_RUNS; i++) {
      const began = performance.now();
      outputs = await new RawSession(ort, session).run(headers, body);
      times.push(performance.now() - began);
    }
    return { outputs, ms: times.toSorted((a, b) => a - b)[TRIAL_RUNS >> 1]! };
  };
  const [device, cpu] = [await timed(there), await timed(here)];
  for (const [i, output] of cpu.outputs.entries()) {
    const others = valuesOf(device.outputs[i]!);
    const isFar = (value: number, k: number) =>
      !(Math.abs(value - others[k]!) <= DEVICE_TOLERANCE * Math.max(1, Math.abs(value)));
    if (valuesOf(output).some(isFar)) {
      throw new ProtocolError('device-failed', `"${output.name}" differs from that of the CPU`);
    }
  }
  return { cpuMs: cpu.ms, deviceMs: device.ms };
}
