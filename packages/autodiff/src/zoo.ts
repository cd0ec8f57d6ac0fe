import {
  type Attribute,
  elementCount,
  type Graph,
  int,
  int64s,
  ints,
  type Model,
  type Node,
  type Tensor,
} from '@starling/onnx';
import { createGenerator, type Generator } from './seeded.ts';

export const ZOO = ['mlp', 'cnn'] as const;
export type ZooName = (typeof ZOO)[number];

/**
 * A forward model with random weights that are a function of `seed`. Input [batch, 784], output
 * [batch, 10].
 */
export function zooModel(name: ZooName, seed: number): Model {
  return name === 'mlp' ? mlp(seed) : cnn(seed);
}

/** 784-200-200-10 with ReLU: 199,210 weights. */
function mlp(seed: number): Model {
  const layers = new Layers(createGenerator(seed));
  let x = layers.dense('input', 'fc1', [784, 200]);
  x = layers.dense(layers.plain('Relu', x), 'fc2', [200, 200]);
  return layers.finish('mlp', layers.dense(layers.plain('Relu', x), 'fc3', [200, 10]));
}

/** Two 5×5 convolutions (16 and 32 channels) with 2×2 pools, then 512-128-10: 80,202 weights. */
function cnn(seed: number): Model {
  const layers = new Layers(createGenerator(seed));
  let x = layers.image('input', [1, 28, 28]);
  x = layers.pool(layers.plain('Relu', layers.conv(x, 'conv1', [16, 1, 5, 5])));
  x = layers.pool(layers.plain('Relu', layers.conv(x, 'conv2', [32, 16, 5, 5])));
  x = layers.dense(layers.plain('Flatten', x), 'fc1', [512, 128]);
  return layers.finish('cnn', layers.dense(layers.plain('Relu', x), 'fc2', [128, 10]));
}

/** Writes layers in PyTorch's manner: weights [out, in], names `layer.weight` and `layer.bias`. */
class Layers {
  readonly #generator: Generator;
  readonly #nodes: Node[] = [];
  readonly #initializers = new Map<string, Tensor>();
  constructor(generator: Generator) {
    this.#generator = generator;
  }

  plain(op: string, x: string): string {
    return this.#node(`${op.toLowerCase()}${this.#nodes.length}`, op, [x]);
  }

  dense(x: string, name: string, [inputs, outputs]: readonly [number, number]): string {
    return this.#node(name, 'Gemm', [x, ...this.#weights(name, [outputs, inputs])], {
      transB: int(1),
    });
  }

  conv(x: string, name: string, shape: readonly number[]): string {
    return this.#node(name, 'Conv', [x, ...this.#weights(name, shape)], {
      kernel_shape: ints(shape.slice(2)),
    });
  }

  pool(x: string): string {
    const attributes = { kernel_shape: ints([2, 2]), strides: ints([2, 2]) };
    return this.#node(`pool${this.#nodes.length}`, 'MaxPool', [x], attributes);
  }

  /**
   * [batch, pixels] to [batch, channels, height, width], so that all zoo models take the same
   * data.
   */
  image(x: string, shape: readonly number[]): string {
    this.#initializers.set('imageShape', int64s([-1, ...shape]));
    return this.#node('image', 'Reshape', [x, 'imageShape']);
  }

  finish(name: string, output: string): Model {
    const graph: Graph = {
      name,
      nodes: this.#nodes,
      initializers: this.#initializers,
      inputs: [{ name: 'input', dtype: 'float32', shape: ['batch', 784] }],
      outputs: [{ name: output, dtype: 'float32', shape: ['batch', 10] }],
    };
    return { graph };
  }

  /**
   * He's uniform range for the weights (variance 2 / fan-in) and zeros for the bias. Uniform rather
   * than normal: it needs no logarithm or cosine, whose last bits differ between engines.
   */
  #weights(name: string, shape: readonly number[]): readonly [string, string] {
    const range = Math.sqrt(6 / elementCount(shape.slice(1)));
    const data = Float32Array.from(
      { length: elementCount(shape) },
      () => (2 * this.#generator.uniform() - 1) * range,
    );
    this.#initializers.set(`${name}.weight`, { dtype: 'float32', shape, data });
    const bias = {
      dtype: 'float32' as const,
      shape: [shape[0]!],
      data: new Float32Array(shape[0]!),
    };
    this.#initializers.set(`${name}.bias`, bias);
    return [`${name}.weight`, `${name}.bias`];
  }

  #node(
    name: string,
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    const output = `${name}/output`;
    const node = {
      name,
      op,
      inputs,
      outputs: [output],
      attributes: new Map(Object.entries(attributes)),
    };
    this.#nodes.push(node);
    return output;
  }
}
