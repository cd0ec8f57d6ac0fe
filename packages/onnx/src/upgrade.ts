import { ProtocolError } from '@starling/core';
import { ALIGN_AXIS } from './functions-indexing.ts';
import { int64s, numbersOf, scalar, tensorOf } from './tensor.ts';
import {
  type Attribute,
  type Attributes,
  DATA_TYPES,
  ELEMENT_TYPES,
  int,
  ints,
  intsAttribute,
  type Node,
  numberAttribute,
  type Tensor,
  text,
} from './types.ts';

/** Rewrites one node of an older or newer operator set into nodes of opset 17. */
type Upgrade = (node: Node, tools: UpgradeTools) => readonly Node[];

interface UpgradeTools {
  /** A Constant node and the name of its value. */
  readonly constant: (node: Node, slot: string, value: Tensor) => Node;
  /**
   * The constant behind a name, when an initializer or a Constant node earlier in the file holds
   * it.
   */
  readonly known: (name: string) => Tensor | undefined;
}

interface UpgradeRule {
  /** Applies to files of these operator sets. */
  readonly applies: (opset: number) => boolean;
  readonly upgrade: Upgrade;
}

/** Attributes that became inputs: reads `names` in order, from input 1 on. */
function attributesToInputs(names: readonly string[]): Upgrade {
  return (node, { constant }) => {
    const before: Node[] = [];
    const inputs = [node.inputs[0] ?? ''];
    for (const name of names) {
      const value = attributeTensor(node.attributes.get(name));
      if (value === undefined) {
        inputs.push('');
        continue;
      }
      const made = constant(node, name, value);
      before.push(made);
      inputs.push(made.outputs[0]!);
    }
    while (inputs.at(-1) === '') inputs.pop();
    return [...before, { ...node, inputs, attributes: without(node.attributes, names) }];
  };
}

function attributeTensor(attribute: Attribute | undefined): Tensor | undefined {
  if (attribute?.kind === 'ints') return int64s(attribute.value);
  if (attribute?.kind === 'int') return int64s([attribute.value]);
  return attribute?.kind === 'float' ? scalar(attribute.value) : undefined;
}

function without(attributes: Attributes, names: readonly string[]): Attributes {
  return new Map([...attributes].filter(([name]) => !names.includes(name)));
}

/** Before opset 11 a Resize had no regions, and went by the position alone. */
const resizeOfOld: Upgrade = (node, { known }) => {
  const [x = '', scales = ''] = node.inputs;
  const factors = known(scales);
  const shrinks = factors !== undefined && numbersOf(factors).every((factor) => factor <= 1);
  const attributes = new Map(node.attributes)
    .set('coordinate_transformation_mode', text('asymmetric'))
    .set('nearest_mode', text(shrinks ? 'ceil' : 'floor'));
  return [{ ...node, op: 'Resize', inputs: [x, '', scales], attributes }];
};

/** Up to opset 8 the scales of an Upsample were an attribute. */
const upsample: Upgrade = (node, tools) => {
  const listed = node.attributes.get('scales');
  if (listed?.kind !== 'floats') return resizeOfOld(node, tools);
  const scales = tensorOf('float32', [listed.value.length], listed.value);
  const made = tools.constant(node, 'scales', scales);
  const attributes = without(node.attributes, ['scales']);
  const inputs = [node.inputs[0] ?? '', made.outputs[0]!];
  return [made, ...resizeOfOld({ ...node, inputs, attributes }, tools)];
};

/**
 * Before opset 14 a BatchNormalization was in training mode when it had more outputs than one;
 * before opset 9 it could have statistics for each activation.
 */
const batchNormOfOld: Upgrade = (node) => {
  if (numberAttribute(node, 'spatial', 1) !== 1) {
    throw new ProtocolError(
      'unsupported-operator',
      `node "${node.name}" (BatchNormalization): statistics for each activation (spatial is 0)`,
    );
  }
  const trains = node.outputs.slice(1).some((name) => name !== '');
  const kept = without(node.attributes, ['spatial', 'is_test', 'consumed_inputs']);
  const attributes = trains ? new Map(kept).set('training_mode', int(1)) : kept;
  return [{ ...node, outputs: node.outputs.slice(0, trains ? 3 : 1), attributes }];
};

/** Before opset 12 the ratio was an attribute, and dropping was for whoever trains to decide. */
const dropoutOfOld: Upgrade = (node, { constant }) => {
  const [x = ''] = node.inputs;
  const isTest = numberAttribute(node, 'is_test', 0) === 1;
  const ratio = constant(node, 'ratio', scalar(numberAttribute(node, 'ratio', 0.5)));
  const training = constant(node, 'training', scalar(isTest ? 0 : 1, 'bool'));
  const inputs = [x, ratio.outputs[0]!, training.outputs[0]!];
  return [ratio, training, { ...node, inputs, attributes: new Map() }];
};

/** PyTorch's word for ConstantOfShape before opset 9, where the standard had none. */
const constantFill: Upgrade = (node) => {
  const of = DATA_TYPES.find((name) => ELEMENT_TYPES[name] === numberAttribute(node, 'dtype', 1));
  if (numberAttribute(node, 'input_as_shape', 0) !== 1 || of === undefined) return [node];
  const value = tensorOf(of, [1], [numberAttribute(node, 'value', 0)]);
  return [
    { ...node, op: 'ConstantOfShape', attributes: new Map([['value', { kind: 'tensor', value }]]) },
  ];
};

const scanOfOld: Upgrade = (node) => {
  throw new ProtocolError(
    'unsupported-operator',
    `node "${node.name}" (Scan): its form before operator set 9 is not supported`,
  );
};

/**
 * In opset 6 an operand was stretched along the axes that a node named, from `axis` on; in later
 * ones it is aligned to the last axis.
 */
const alignedOperand =
  (axisOf: (node: Node) => number | undefined): Upgrade =>
  (node) => {
    const axis = axisOf(node);
    const attributes = without(node.attributes, ['axis', 'broadcast']);
    if (axis === undefined) return [{ ...node, attributes }];
    const [a = '', b = ''] = node.inputs;
    const aligned = `${node.name}/aligned`;
    const align: Node = {
      name: aligned,
      op: ALIGN_AXIS,
      inputs: [b, a],
      outputs: [aligned],
      attributes: new Map([['axis', int(axis)]]),
    };
    return [align, { ...node, inputs: [a, aligned], attributes }];
  };

const broadcastAxis = ({ attributes }: Node): number | undefined => {
  const axis = attributes.get('axis');
  return axis?.kind === 'int' ? axis.value : undefined;
};

/** Before opset 13 a softmax ran over all axes from `axis` on, seen as one. */
const softmaxOverTail: Upgrade = (node) => {
  const axis = numberAttribute(node, 'axis', 1);
  const attributes: Attributes = new Map([['axis', int(-1)]]);
  if (axis === -1) return [{ ...node, attributes }];
  const [flat, soft, shape] = ['flat', 'soft', 'shape'].map((slot) => `${node.name}/${slot}`);
  const part = (
    op: string,
    inputs: string[],
    output: string,
    own: Attributes = new Map(),
  ): Node => ({
    name: `${node.name}/${op}`,
    op,
    inputs,
    outputs: [output],
    attributes: own,
  });
  return [
    part('Flatten', [node.inputs[0] ?? ''], flat!, new Map([['axis', int(axis)]])),
    { ...node, inputs: [flat!], outputs: [soft!], attributes },
    part('Shape', [node.inputs[0] ?? ''], shape!),
    part('Reshape', [soft!, shape!], node.outputs[0] ?? ''),
  ];
};

const before = (opset: number) => (of: number) => of < opset;
const axesInput: UpgradeRule = { applies: before(13), upgrade: attributesToInputs(['axes']) };

const UPGRADES: ReadonlyMap<string, UpgradeRule> = new Map([
  ...'Add Sub Mul Div Pow And Or Xor Equal Greater Less'
    .split(' ')
    .map((op): [string, UpgradeRule] => [
      op,
      { applies: before(7), upgrade: alignedOperand(broadcastAxis) },
    ]),
  ['Gemm', { applies: before(7), upgrade: alignedOperand(() => undefined) }],
  ['PRelu', { applies: before(7), upgrade: alignedOperand(() => 1) }],
  ['Squeeze', axesInput],
  ['Unsqueeze', axesInput],
  ['Split', { applies: before(13), upgrade: attributesToInputs(['split']) }],
  ['TopK', { applies: before(10), upgrade: attributesToInputs(['k']) }],
  ['Scatter', { applies: () => true, upgrade: (node) => [{ ...node, op: 'ScatterElements' }] }],
  ['BatchNormalization', { applies: before(14), upgrade: batchNormOfOld }],
  ['ConstantFill', { applies: before(9), upgrade: constantFill }],
  ['Scan', { applies: before(9), upgrade: scanOfOld }],
  ['Clip', { applies: before(11), upgrade: attributesToInputs(['min', 'max']) }],
  [
    'Slice',
    {
      applies: before(10),
      upgrade: (node, tools) => {
        const axes =
          intsAttribute(node, 'axes') ?? intsAttribute(node, 'starts')?.map((_, i) => i) ?? [];
        const attributes = new Map(node.attributes).set('axes', ints(axes));
        return attributesToInputs(['starts', 'ends', 'axes'])({ ...node, attributes }, tools);
      },
    },
  ],
  ['Softmax', { applies: before(13), upgrade: softmaxOverTail }],
  ['LogSoftmax', { applies: before(13), upgrade: softmaxOverTail }],
  ['Hardmax', { applies: before(13), upgrade: softmaxOverTail }],
  ['Pad', { applies: before(11), upgrade: attributesToInputs(['pads', 'value']) }],
  ['Resize', { applies: before(11), upgrade: resizeOfOld }],
  ['Upsample', { applies: () => true, upgrade: upsample }],
  ['Dropout', { applies: before(12), upgrade: dropoutOfOld }],
]);

/** Nodes with the meaning of opset 17, in the same order. */
export function upgradeNodes(
  nodes: readonly Node[],
  initializers: ReadonlyMap<string, Tensor>,
  opset: number,
): readonly Node[] {
  const constants = new Map(initializers);
  const tools: UpgradeTools = {
    constant: (node, slot, value) => ({
      name: `${node.name}/${slot}`,
      op: 'Constant',
      inputs: [],
      outputs: [`${node.name}/${slot}`],
      attributes: new Map([['value', { kind: 'tensor', value }]]),
    }),
    known: (name) => constants.get(name),
  };
  return nodes.flatMap((node) => {
    const value = node.attributes.get('value');
    if (node.op === 'Constant' && value?.kind === 'tensor') {
      constants.set(node.outputs[0] ?? '', value.value);
    }
    const rule = UPGRADES.get(node.op);
    return rule?.applies(opset) ? rule.upgrade(node, tools) : [node];
  });
}
