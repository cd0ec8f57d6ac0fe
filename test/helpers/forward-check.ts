import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Graph, readModel, type Tensor, writeModel } from '@starling/onnx';
import { type ModelProto, ModelProtoSchema, OperatorSetIdProtoSchema } from 'onnx-buf';
import { InferenceSession } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import {
  type Case,
  calledAlone,
  drawFeeds,
  openGraph,
  replayedGraph,
  runtimeFeeds,
  titleOf,
} from './gradient-check.ts';

/** A call that ONNX Runtime knows itself, in the operator set where it means what we read. */
export interface ForwardCase extends Case {
  /** Default 17. */
  readonly opset?: number;
}

const TOLERANCE = 2e-5;

/**
 * Declares one test per case: what a call that was read and replayed gives, in value and shape,
 * against ONNX Runtime's own operator.
 */
export function checkForward(cases: readonly ForwardCase[]): void {
  describe('a replayed call gives what the operator gives', () => {
    for (const [index, kase] of cases.entries()) {
      test(`${index} ${titleOf(kase)}`, async () => {
        const { tensors } = drawFeeds(kase, 1);
        const file = fileOf(kase);
        const read = (kase.opset ?? 17) <= OPSET_READ_MAX ? readModel(bytesOf(file)) : undefined;
        const own = replayedGraph(read?.graph ?? calledAlone(kase, 'float32'));
        const [ours, theirs] = [
          await outputsOf(await openGraph(own), own, tensors),
          await outputsOf(await openNative(file), own, tensors),
        ];
        for (const [i, theirOutput] of theirs.entries()) {
          expect(own.outputs[i]!.shape).toEqual(theirOutput.dims);
          expect(ours[i]!.dims).toEqual(theirOutput.dims);
          expect(worstDifference(ours[i]!.values, theirOutput.values)).toBeLessThan(TOLERANCE);
        }
      });
    }
  });
}

/** Newest operator set of files that are read; what is newer is replayed as it stands. */
const OPSET_READ_MAX = 21;

const bytesOf = (file: ModelProto) => toBinary(ModelProtoSchema, file);

/** A foreign file with the operator itself. */
function fileOf(kase: ForwardCase): ModelProto {
  const proto = fromBinary(ModelProtoSchema, writeModel({ graph: calledAlone(kase, 'float32') }));
  const node = proto.graph!.node[0]!;
  const dot = node.opType.lastIndexOf('.');
  node.domain = dot < 0 ? '' : node.opType.slice(0, dot);
  node.opType = node.opType.slice(dot + 1);
  proto.irVersion = 10n;
  proto.opsetImport = [
    create(OperatorSetIdProtoSchema, { domain: '', version: BigInt(kase.opset ?? 17) }),
    create(OperatorSetIdProtoSchema, { domain: 'com.microsoft', version: 1n }),
  ];
  return proto;
}

function openNative(file: ModelProto): Promise<InferenceSession> {
  const open = fromBinary(ModelProtoSchema, bytesOf(file));
  // Types of outputs are for the runtime to find.
  for (const output of open.graph!.output) delete output.type;
  const options = { logSeverityLevel: 4, intraOpNumThreads: 1 } as const;
  return InferenceSession.create(bytesOf(open), options);
}

async function outputsOf(
  session: InferenceSession,
  graph: Graph,
  tensors: ReadonlyMap<string, Tensor>,
) {
  const results = await session.run(runtimeFeeds(graph, tensors));
  await session.release();
  return session.outputNames.map((name) => {
    const { data, dims } = results[name]!;
    return { dims, values: Array.from(data, Number) };
  });
}

/** Largest difference relative to the larger of 1 and the value; equal infinities differ by 0. */
const worstDifference = (ours: readonly number[], theirs: readonly number[]): number =>
  theirs.reduce((worst, value, i) => {
    const difference = Object.is(value, ours[i]) ? 0 : Math.abs(ours[i]! - value);
    return Math.max(worst, difference / Math.max(1, Math.abs(value)));
  }, 0);
