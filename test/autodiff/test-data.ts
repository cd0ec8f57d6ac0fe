import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import type { Tensor } from '@starling/onnx';
import { TensorProtoSchema } from 'onnx-buf';
import { readTensor } from '../../packages/onnx/src/proto-tensor.ts';
import { installed } from '../helpers/debian.ts';

const PACKAGE = 'libonnx-testdata';
const FOLDER = '/usr/share/libonnx-testdata/data';

/** The groups of models in Debian's package that come with inputs and outputs. */
export const GROUPS = ['node', 'pytorch-converted', 'pytorch-operator', 'simple'] as const;

/** Why ONNX's own test models cannot be had; undefined when they are there. */
export const missingTestData = (): string | undefined =>
  installed([PACKAGE], () => existsSync(FOLDER), `needs ${PACKAGE}`);

/** `group/name` of every model, sorted. */
export const modelNames = (): readonly string[] =>
  GROUPS.flatMap((group) => readdirSync(join(FOLDER, group)).map((name) => `${group}/${name}`))
    .filter((name) => existsSync(join(FOLDER, name, 'model.onnx')))
    .sort();

export const modelBytes = (name: string): Uint8Array =>
  readFileSync(join(FOLDER, name, 'model.onnx'));

/** Recorded values of one run, in the model's order. */
export interface RecordedRun {
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
}

/** @throws ProtocolError for values that are no tensors of a type that is read */
export function recordedRun(name: string): RecordedRun {
  const folder = join(FOLDER, name, 'test_data_set_0');
  const all = (kind: string) => {
    const count = readdirSync(folder).filter((file) => file.startsWith(`${kind}_`)).length;
    return Array.from({ length: count }, (_, i) => tensorFile(join(folder, `${kind}_${i}.pb`)));
  };
  return { inputs: all('input'), outputs: all('output') };
}

const tensorFile = (path: string): Tensor =>
  readTensor(fromBinary(TensorProtoSchema, readFileSync(path)), path);
