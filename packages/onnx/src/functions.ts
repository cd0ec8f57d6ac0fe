import type { GraphBuilder } from './builder.ts';
import { FunctionCall, type FunctionEntry } from './function-call.ts';
import { attentionFunctions } from './functions-attention.ts';
import { elementwiseFunctions } from './functions-elementwise.ts';
import { fusedFunctions } from './functions-fused.ts';
import { indexingFunctions } from './functions-indexing.ts';
import { lossFunctions } from './functions-losses.ts';
import { normFunctions } from './functions-norm.ts';
import { recurrentFunctions } from './functions-recurrent.ts';
import { reduceFunctions } from './functions-reduce.ts';
import { resizeFunctions } from './functions-resize.ts';
import { rotaryFunctions } from './functions-rotary.ts';
import { sampleFunctions } from './functions-sample.ts';
import { spatialFunctions } from './functions-spatial.ts';
import type { Arity } from './inference.ts';
import type { Node } from './types.ts';

interface ExpandedFunction {
  readonly body: FunctionEntry[1];
  readonly arity: Arity;
}

/**
 * Operators that are written as others when a model is replayed: those that opset 17 lacks, those
 * that GPUs lack, and those that say one thing in many ways.
 */
export const FUNCTIONS: ReadonlyMap<string, ExpandedFunction> = new Map(
  [
    ...elementwiseFunctions,
    ...reduceFunctions,
    ...normFunctions,
    ...spatialFunctions,
    ...resizeFunctions,
    ...sampleFunctions,
    ...indexingFunctions,
    ...recurrentFunctions,
    ...attentionFunctions,
    ...rotaryFunctions,
    ...fusedFunctions,
    ...lossFunctions,
  ].map(([op, body, arity = [1, 1]]) => [op, { body, arity }]),
);

/**
 * Writes a call as nodes of opset 17 and names its outputs; undefined when it is no function.
 * @throws ProtocolError `model-shape` or `unsupported-operator`, naming the node
 */
export function expandFunction(
  builder: GraphBuilder,
  node: Node,
  inputs: readonly string[],
): readonly string[] | undefined {
  const found = FUNCTIONS.get(node.op);
  if (found === undefined) return undefined;
  const call = new FunctionCall(builder, node, inputs);
  call.checkArity(found.arity);
  return found.body(call);
}
