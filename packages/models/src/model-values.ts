import { type Dimension, readModel, type ValueInfo } from '@starling/onnx';
import { MODELS_LIMITS, type ModelValue } from '@starling/protocol-models';

/** Inputs and outputs of a model, as a card has them. */
export interface ModelValues {
  readonly inputs: readonly ModelValue[];
  readonly outputs: readonly ModelValue[];
}

/** @throws ProtocolError when the file is none that this house reads */
export function valuesOf(model: Uint8Array): ModelValues {
  const { inputs, outputs } = readModel(model).graph;
  return { inputs: inputs.map(described), outputs: outputs.map(described) };
}

const described = ({ name, dtype, shape }: ValueInfo): ModelValue => ({
  name: name.slice(0, MODELS_LIMITS.valueNameCharsMax),
  type: dtype,
  shape: shape.slice(0, MODELS_LIMITS.rankMax).map(sizeOf),
});

const sizeOf = (dimension: Dimension): number => (typeof dimension === 'number' ? dimension : 0);

/** `x: float32 [?, 784]` */
export const valueText = ({ name, type, shape }: ModelValue): string =>
  `${name}: ${type} [${shape.map((size) => (size === 0 ? '?' : size)).join(', ')}]`;

/** A card's values in one line each; equal when they say the same. */
export const valuesText = (values: readonly ModelValue[]): string =>
  values.map(valueText).join('; ');
