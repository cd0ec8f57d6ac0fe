import {
  type AttributeRecord,
  type DataType,
  elementCount,
  float,
  type Graph,
  int,
  int64s,
  ints,
  type Model,
  type Node,
  type Tensor,
  tensorOf,
} from '@starling/onnx';
import { createGenerator, type Generator } from '../seeded.ts';

export interface ConvOptions {
  readonly stride?: number;
  readonly group?: number;
  readonly bias?: boolean;
  /** On every side of every axis. */
  readonly pad?: number;
}

export interface FinishOptions {
  /** Of the input. */
  readonly dtype?: DataType;
  /** Shape of the output for one example; 10 classes when absent. */
  readonly result?: readonly number[];
}

/** Writes layers in PyTorch's manner: weights [out, in], names `layer.weight` and `layer.bias`. */
export class Layers {
  readonly #generator: Generator;
  readonly #nodes: Node[] = [];
  readonly #initializers = new Map<string, Tensor>();
  /** @param seed of the weights */
  constructor(seed: number) {
    this.#generator = createGenerator(seed);
  }

  /** A layer without weights; its name follows from its place. */
  plain(op: string, x: string | readonly string[], attributes: AttributeRecord = {}): string {
    const inputs = typeof x === 'string' ? [x] : x;
    return this.node(`${op.toLowerCase()}${this.#nodes.length}`, op, inputs, attributes);
  }

  /** A stored value that is no weight. */
  constant(name: string, value: Tensor): string {
    this.#initializers.set(name, value);
    return name;
  }

  dense(x: string, name: string, [inputs, outputs]: readonly [number, number]): string {
    return this.node(name, 'Gemm', [x, ...this.#weights(name, [outputs, inputs])], {
      transB: int(1),
    });
  }

  /** A convolution [outputs, inputs/group, …kernel] that keeps the size when its stride is 1. */
  conv(x: string, name: string, shape: readonly number[], options: ConvOptions = {}): string {
    const { stride = 1, group = 1, bias = true, pad = 0 } = options;
    const kernel = shape.slice(2);
    const weights = bias ? this.#weights(name, shape) : [this.weight(name, shape)];
    return this.node(name, 'Conv', [x, ...weights], {
      group: int(group),
      kernel_shape: ints(kernel),
      strides: ints(kernel.map(() => stride)),
      pads: ints([...kernel, ...kernel].map(() => pad)),
    });
  }

  /** Normalises by the batch, as PyTorch exports it for training; the statistics are buffers. */
  batchNorm(x: string, name: string, channels: number): string {
    const filled = (slot: string, value: number) =>
      this.constant(
        `${name}.${slot}`,
        tensorOf('float32', [channels], new Array(channels).fill(value)),
      );
    const inputs = [
      filled('weight', 1),
      filled('bias', 0),
      filled('running_mean', 0),
      filled('running_var', 1),
    ];
    const outputs = ['output', 'running_mean', 'running_var'].map((slot) => `${name}/${slot}`);
    const attributes = {
      epsilon: float(Math.fround(1e-5)),
      momentum: float(Math.fround(0.9)),
      training_mode: int(1),
    };
    return this.node(name, 'BatchNormalization', [x, ...inputs], attributes, outputs);
  }

  pool(x: string): string {
    return this.plain('MaxPool', x, { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
  }

  /**
   * [batch, pixels] to [batch, channels, height, width], so that all zoo models take the same
   * data.
   */
  image(x: string, shape: readonly number[]): string {
    const target = this.constant('imageShape', int64s([-1, ...shape]));
    return this.node('image', 'Reshape', [x, target]);
  }

  /** @param example shape of one example */
  finish(
    name: string,
    output: string,
    example: readonly number[],
    { dtype = 'float32', result = [10] }: FinishOptions = {},
  ): Model {
    const graph: Graph = {
      name,
      nodes: this.#nodes,
      initializers: this.#initializers,
      inputs: [{ name: 'input', dtype, shape: ['batch', ...example] }],
      outputs: [{ name: output, dtype: 'float32', shape: ['batch', ...result] }],
    };
    return { graph };
  }

  #weights(name: string, shape: readonly number[]): readonly [string, string] {
    const weight = this.weight(name, shape);
    const zeros = tensorOf('float32', [shape[0]!], new Array(shape[0]!).fill(0));
    return [weight, this.constant(`${name}.bias`, zeros)];
  }

  /**
   * A weight with uniform values up to `range`, He's when absent (variance 2 / fan-in). Uniform
   * rather than normal: it needs no logarithm or cosine, whose last bits differ between engines.
   */
  weight(
    name: string,
    shape: readonly number[],
    range = Math.sqrt(6 / elementCount(shape.slice(1))),
  ): string {
    const data = Float32Array.from(
      { length: elementCount(shape) },
      () => (2 * this.#generator.uniform() - 1) * range,
    );
    return this.constant(`${name}.weight`, { dtype: 'float32', shape, data });
  }

  /** Adds a node; answers its first output. */
  node(
    name: string,
    op: string,
    inputs: readonly string[],
    attributes: AttributeRecord = {},
    outputs: readonly string[] = [`${name}/output`],
  ): string {
    this.#nodes.push({
      name,
      op,
      inputs,
      outputs,
      attributes: new Map(Object.entries(attributes)),
    });
    return outputs[0]!;
  }
}
