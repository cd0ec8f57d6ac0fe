/** ONNX files made by hand, also such as no exporter writes. */
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { type ModelProto, ModelProtoSchema } from 'onnx-buf';
import type { AttributeRecord } from '../builder.ts';
import type { DataType, Dimension, Graph, Node, Tensor, ValueInfo } from '../types.ts';
import { writeModel } from '../write.ts';

/** A node named after its first output. */
export const node = (
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: AttributeRecord = {},
): Node => ({
  name: outputs[0] ?? op,
  op,
  inputs,
  outputs,
  attributes: new Map(Object.entries(attributes)),
});

export interface GraphParts {
  readonly inputs?: Readonly<Record<string, readonly Dimension[]>>;
  readonly initializers?: Readonly<Record<string, Tensor>>;
  readonly outputs: readonly string[];
  /** Of all inputs; float32 when absent. */
  readonly dtype?: DataType;
}

/** A graph of nodes as they are: nothing is checked, nothing is put in order. */
export function graphOf(nodes: readonly Node[], parts: GraphParts): Graph {
  const { inputs = {}, initializers = {}, outputs, dtype = 'float32' } = parts;
  const value = (name: string, shape: readonly Dimension[]): ValueInfo => ({ name, dtype, shape });
  return {
    name: 'graph',
    nodes,
    initializers: new Map(Object.entries(initializers)),
    inputs: Object.entries(inputs).map(([name, shape]) => value(name, shape)),
    outputs: outputs.map((name) => value(name, [])),
  };
}

export interface FileOptions {
  /** Default 17. */
  readonly opset?: number;
  /** Changes the message before it is written. */
  readonly edit?: (proto: ModelProto) => void;
}

export function fileOf(graph: Graph, { opset = 17, edit }: FileOptions = {}): Uint8Array {
  const proto = fromBinary(ModelProtoSchema, writeModel({ graph }));
  proto.opsetImport[0]!.version = BigInt(opset);
  for (const made of proto.graph?.node ?? []) {
    const dot = made.opType.lastIndexOf('.');
    made.domain = made.opType.slice(0, Math.max(0, dot));
    made.opType = made.opType.slice(dot + 1);
  }
  edit?.(proto);
  return toBinary(ModelProtoSchema, proto);
}
