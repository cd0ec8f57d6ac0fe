import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema, NodeProtoSchema, ValueInfoProtoSchema } from 'onnx-buf';
import { expect, test } from 'vitest';
import { inferenceModel } from './inference-form.ts';
import { scalar, tensorOf } from './tensor.ts';
import { type Graph, int, type Node } from './types.ts';
import { writeModel } from './write.ts';

const node = (
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Node['attributes'] = new Map(),
): Node => ({ name: outputs[0]!, op, inputs, outputs, attributes });

const ones = (name: string) => [name, tensorOf('float32', [2], [1, 1])] as const;

/** Normalises and drops, as a model that was exported in training mode. */
function training(): Uint8Array {
  const value = (name: string) => ({ name, dtype: 'float32', shape: ['batch', 2] }) as const;
  const graph: Graph = {
    name: 'training',
    nodes: [
      node(
        'BatchNormalization',
        ['x', 'scale', 'bias', 'mean', 'variance'],
        ['n', 'newMean', 'newVariance'],
        new Map([['training_mode', int(1)]]),
      ),
      node('Dropout', ['n', 'ratio', 'training'], ['y', 'mask']),
    ],
    initializers: new Map([
      ...['scale', 'bias', 'mean', 'variance'].map(ones),
      ['ratio', scalar(0.5)],
      ['training', scalar(1, 'bool')],
    ]),
    inputs: [value('x')],
    outputs: [value('y')],
  };
  return writeModel({ graph });
}

const graphOf = (bytes: Uint8Array) => fromBinary(ModelProtoSchema, bytes).graph!;

test('BatchNormalization and Dropout go by their inference rules, and the mode is left out', () => {
  const graph = graphOf(inferenceModel(training()));
  const [norm, dropout] = graph.node;
  expect(norm).toMatchObject({ opType: 'BatchNormalization', output: ['n'], attribute: [] });
  expect(dropout).toMatchObject({ opType: 'Dropout', input: ['n', 'ratio'], output: ['y'] });
  expect(graph.initializer.map(({ name }) => name)).toEqual([
    ...['scale', 'bias', 'mean', 'variance', 'ratio'],
  ]);
});

test('statistics that somebody reads are the running ones', () => {
  const proto = fromBinary(ModelProtoSchema, training());
  const { graph } = proto;
  graph!.output.push(create(ValueInfoProtoSchema, { ...graph!.output[0]!, name: 'newMean' }));
  const copies = graphOf(inferenceModel(toBinary(ModelProtoSchema, proto))).node.slice(1, 2);
  expect(copies).toMatchObject([{ opType: 'Identity', input: ['mean'], output: ['newMean'] }]);
});

test('a mask that somebody reads stays', () => {
  const proto = fromBinary(ModelProtoSchema, training());
  proto.graph!.node.push(
    create(NodeProtoSchema, { opType: 'Not', input: ['mask'], output: ['z'] }),
  );
  const { node: nodes } = graphOf(inferenceModel(toBinary(ModelProtoSchema, proto)));
  expect(nodes[1]).toMatchObject({ opType: 'Dropout', output: ['y', 'mask'] });
});

test('other nodes of other domains, and a second conversion, change nothing', () => {
  const proto = fromBinary(ModelProtoSchema, training());
  proto.graph!.node[1]!.domain = 'com.example';
  const once = inferenceModel(toBinary(ModelProtoSchema, proto));
  expect(graphOf(once).node[1]!.input).toEqual(['n', 'ratio', 'training']);
  const converted = inferenceModel(training());
  expect(inferenceModel(converted)).toEqual(converted);
});
