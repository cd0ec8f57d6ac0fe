import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Graph, type Tensor, writeModel } from '@starling/onnx';
import { ModelProtoSchema, OperatorSetIdProtoSchema } from 'onnx-buf';
import type * as Web from 'onnxruntime-web';

/** ONNX Runtime for browsers, version 1.19.2: the last one with training kernels. */
function loadWeb(): typeof Web {
  const require = createRequire(import.meta.url);
  const folder = dirname(require.resolve('onnxruntime-web'));
  const loaded: typeof Web = require(join(folder, 'ort.training.wasm.min.js'));
  loaded.env.wasm.numThreads = 1;
  return loaded;
}

const web = loadWeb();

/** The training build's newest operator set. */
const OPSET = 14;

/**
 * Runs a graph once. Operators of other domains have the domain before their names, and whatever
 * is fed and not an input of the graph is left out.
 * @returns elements of its outputs, by name
 */
export async function runWeb(
  graph: Graph,
  tensors: ReadonlyMap<string, Tensor>,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const session = await web.InferenceSession.create(fileOf(graph), {
    executionProviders: ['wasm'],
    graphOptimizationLevel: 'disabled',
    logSeverityLevel: 4,
  });
  const feeds = session.inputNames.map((name) => {
    const { dtype, data, shape } = tensors.get(name)!;
    return [name, new web.Tensor(dtype, data, shape)] as const;
  });
  const results = await session.run(Object.fromEntries(feeds));
  await session.release();
  return new Map(
    graph.outputs.map(({ name }) => [name, Array.from(results[name]!.data, Number)] as const),
  );
}

function fileOf(graph: Graph): Uint8Array {
  const proto = fromBinary(ModelProtoSchema, writeModel({ graph }));
  for (const node of proto.graph!.node) {
    const dot = node.opType.lastIndexOf('.');
    node.domain = node.opType.slice(0, Math.max(0, dot));
    node.opType = node.opType.slice(dot + 1);
  }
  proto.opsetImport = [
    create(OperatorSetIdProtoSchema, { domain: '', version: BigInt(OPSET) }),
    create(OperatorSetIdProtoSchema, { domain: 'com.microsoft', version: 1n }),
  ];
  return toBinary(ModelProtoSchema, proto);
}

/** Inputs of a graph for tensors that are fed to it. */
export const inputsFor = (tensors: ReadonlyMap<string, Tensor>): Graph['inputs'] =>
  Array.from(tensors, ([name, { dtype, shape }]) => ({ name, dtype, shape }));
