import { GraphBuilder, type Model } from '@starling/onnx';
import { backward } from './backward.ts';
import { forward, modelInput, trainableParameters } from './forward.ts';
import { Ops } from './ops.ts';
import { initialVector } from './vector.ts';

export interface DescribedModel {
  /** The weights inside the model, in the order of `trainableParameters`. */
  readonly initial: Float32Array;
}

/**
 * What can be said of a model without data. Where its input's shape is known but for the batch,
 * both passes are built once, so that a model that cannot train is refused here and not in a
 * round.
 * @throws ProtocolError naming the node and the cause
 */
export function describeModel(model: Model): DescribedModel {
  const { dtype, shape } = modelInput(model);
  const [batch, ...example] = shape.map((dim, i) => (i === 0 && typeof dim === 'string' ? 1 : dim));
  const known = example.filter((dim) => typeof dim === 'number');
  if (typeof batch === 'number' && known.length === example.length) {
    const g = new Ops(new GraphBuilder());
    const input = g.builder.input('batch', { dtype, shape: [batch, ...known] });
    const parameters = new Map(
      trainableParameters(model).map((parameter) => {
        const type = { dtype: 'float32' as const, shape: parameter.shape };
        return [parameter.name, g.builder.input(parameter.name, type)];
      }),
    );
    const output = forward({ g, model, batch: input, parameters });
    const seed = g.broadcastTo(g.number(1), g.shape(output));
    const nodes = [...g.builder.nodes];
    backward({ g, nodes, output, seed, wanted: [...parameters.values()] });
  }
  return { initial: initialVector(model) };
}
