import { ProtocolError } from '@starling/core';
import { int64s, numbersOf, scalar } from './tensor.ts';
import {
  type Attribute,
  type Attributes,
  int,
  ints,
  intsAttribute,
  type Node,
  numberAttribute,
  type Tensor,
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
  return attribute?.kind === 'float' ? scalar(attribute.value) : undefined;
}

function without(attributes: Attributes, names: readonly string[]): Attributes {
  return new Map([...attributes].filter(([name]) => !names.includes(name)));
}

/** Axes that became an input in opset 18, back to the attribute. */
const axesToAttribute: Upgrade = (node, { known }) => {
  const name = node.inputs[1] ?? '';
  if (name === '') return [{ ...node, inputs: node.inputs.slice(0, 1) }];
  const axes = known(name);
  if (axes === undefined) {
    throw new ProtocolError(
      'model-unsupported',
      `node "${node.name}" (${node.op}): axes are not constant`,
    );
  }
  const attributes = new Map(node.attributes).set('axes', ints(numbersOf(axes)));
  return [{ ...node, inputs: node.inputs.slice(0, 1), attributes }];
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
const from = (opset: number) => (of: number) => of >= opset;
const axesInput: UpgradeRule = { applies: before(13), upgrade: attributesToInputs(['axes']) };
const axesAttribute: UpgradeRule = { applies: from(18), upgrade: axesToAttribute };

const UPGRADES: ReadonlyMap<string, UpgradeRule> = new Map([
  ['Squeeze', axesInput],
  ['Unsqueeze', axesInput],
  ['ReduceSum', axesInput],
  ['ReduceMean', axesAttribute],
  ['ReduceMax', axesAttribute],
  ['ReduceMin', axesAttribute],
  ['ReduceProd', axesAttribute],
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
  // Ratio was an attribute without effect outside training; there was no training flag to read.
  [
    'Dropout',
    {
      applies: before(12),
      upgrade: (node) => [{ ...node, op: 'Identity', attributes: new Map() }],
    },
  ],
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
