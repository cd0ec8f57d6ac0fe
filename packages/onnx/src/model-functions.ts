import { clone, create } from '@bufbuild/protobuf';
import { ProtocolError } from '@starling/core';
import {
  type AttributeProto,
  AttributeProtoSchema,
  type FunctionProto,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  NodeProtoSchema,
} from 'onnx-buf';
import { MODEL_LIMITS } from './limits.ts';

/** Functions may call one another so deep. */
const DEPTH_MAX = 16;

/**
 * Puts the bodies of the functions that a model brings along in place of their calls. Changes the
 * message.
 * @throws ProtocolError `model-unsupported` or `model-limit`, naming function or node
 */
export function inlineFunctions(model: ModelProto): void {
  if (model.functions.length === 0 || model.graph === undefined) return;
  const inliner = new Inliner(model);
  model.graph.node = inliner.all(model.graph.node, 0);
  model.functions = [];
}

const keyOf = (domain: string, name: string, overload: string) =>
  `${domain === 'ai.onnx' ? '' : domain}\0${name}\0${overload}`;

class Inliner {
  readonly #functions: ReadonlyMap<string, FunctionProto>;
  #nodes = 0;
  #calls = 0;

  constructor({ functions, opsetImport }: ModelProto) {
    const version = standardVersion(opsetImport);
    for (const each of functions) {
      const own = standardVersion(each.opsetImport);
      if (own !== undefined && own !== version) {
        throw new ProtocolError(
          'model-unsupported',
          `function "${each.name}" is of operator set ${own}, the model of ${version}`,
        );
      }
    }
    this.#functions = new Map(
      functions.map((each) => [keyOf(each.domain, each.name, each.overload), each]),
    );
  }

  all(nodes: readonly NodeProto[], depth: number): NodeProto[] {
    return nodes.flatMap((node) => {
      for (const attribute of node.attribute) {
        if (attribute.g !== undefined) attribute.g.node = this.all(attribute.g.node, depth + 1);
      }
      const body = this.#functions.get(keyOf(node.domain, node.opType, node.overload));
      return body === undefined ? [node] : this.#inline(node, body, depth);
    });
  }

  #inline(call: NodeProto, body: FunctionProto, depth: number): NodeProto[] {
    const name = call.name === '' ? `${call.opType}_${this.#calls}` : call.name;
    this.#calls++;
    this.#nodes += body.node.length;
    if (depth > DEPTH_MAX || this.#nodes > MODEL_LIMITS.nodesMax) {
      const what = `node "${name}": function ${call.opType} calls others without end`;
      throw new ProtocolError('model-limit', what);
    }
    const names = new Map([
      ...body.input.map((input, i) => [input, call.input[i] ?? ''] as const),
      ...body.output.flatMap((output, i) => {
        const target = call.output[i] ?? '';
        return target === '' ? [] : [[output, target] as const];
      }),
    ]);
    const scope: Scope = { prefix: `${name}/${this.#calls}`, names, call, body };
    return this.all(
      body.node.map((node) => renamed(node, scope)),
      depth + 1,
    );
  }
}

const standardVersion = (list: ModelProto['opsetImport']) =>
  list.find(({ domain }) => domain === '' || domain === 'ai.onnx')?.version;

interface Scope {
  /** Of names that are the body's own. */
  readonly prefix: string;
  /** Names outside for the body's inputs and outputs. */
  readonly names: ReadonlyMap<string, string>;
  readonly call: NodeProto;
  readonly body: FunctionProto;
}

function renamed(node: NodeProto, scope: Scope): NodeProto {
  const made = clone(NodeProtoSchema, node);
  const rename = (name: string) => outside(name, scope);
  made.name = `${scope.prefix}/${node.name === '' ? node.opType : node.name}`;
  made.input = node.input.map(rename);
  made.output = node.output.map(rename);
  made.attribute = node.attribute.flatMap((attribute) => {
    const found = attributeOf(attribute, scope);
    if (found?.g !== undefined) renameGraph(found.g, scope);
    return found === undefined ? [] : [found];
  });
  return made;
}

const outside = (name: string, { prefix, names }: Scope) =>
  name === '' ? '' : (names.get(name) ?? `${prefix}/${name}`);

function renameGraph(graph: GraphProto, scope: Scope): void {
  graph.node = graph.node.map((node) => renamed(node, scope));
  for (const value of [...graph.initializer, ...graph.input, ...graph.output]) {
    value.name = outside(value.name, scope);
  }
}

/** An attribute of the body, which may stand for one of the call or for its default. */
function attributeOf(attribute: AttributeProto, { call, body }: Scope): AttributeProto | undefined {
  const wanted = attribute.refAttrName;
  if (wanted === '') return clone(AttributeProtoSchema, attribute);
  const given =
    call.attribute.find(({ name }) => name === wanted) ??
    body.attributeProto.find(({ name }) => name === wanted);
  if (given === undefined) return undefined;
  return create(AttributeProtoSchema, {
    ...clone(AttributeProtoSchema, given),
    name: attribute.name,
  });
}
