import { GraphBuilder, type Model } from '@starling/onnx';
import type { ResidentData } from './epoch-graph.ts';
import { forward } from './forward.ts';
import { normalised } from './minibatch.ts';
import { Ops } from './ops.ts';

export interface ForwardGraphOptions {
  readonly model: Model;
  readonly data: Pick<ResidentData, 'dtype' | 'example' | 'scale'>;
  readonly batchSize: number;
}

export interface ForwardGraph {
  readonly model: Model;
  /** Name of the input, [batch, …example]. */
  readonly input: string;
  /** Name of the output. */
  readonly output: string;
}

/** A model with its own weights, for one batch: nothing drops, running statistics hold. */
export function buildForwardGraph({ model, data, batchSize }: ForwardGraphOptions): ForwardGraph {
  const builder = new GraphBuilder();
  const g = new Ops(builder);
  const shape = [batchSize, ...data.example];
  const input = builder.input('batch', { dtype: data.dtype, shape });
  const made = forward({
    ...{ g, model, state: new Map() },
    batch: normalised(g, input, data.scale),
  });
  const output = builder.named(made.output, 'output');
  return { model: { graph: builder.finish('forward', [output]) }, input, output };
}
