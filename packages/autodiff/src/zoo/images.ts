import { int64s, type Model, scalar } from '@starling/onnx';
import { Layers } from './layers.ts';

const DIGIT = [784];
const PHOTO = [3, 32, 32];

/** One layer: 7,850 weights. */
export function logistic(seed: number): Model {
  const layers = new Layers(seed);
  return layers.finish('logistic', layers.dense('input', 'fc', [784, 10]), DIGIT);
}

/** 784-200-200-10 with ReLU, the "2NN" of McMahan et al. 2017: 199,210 weights. */
export function mlp(seed: number): Model {
  const layers = new Layers(seed);
  let x = layers.dense('input', 'fc1', [784, 200]);
  x = layers.dense(layers.plain('Relu', x), 'fc2', [200, 200]);
  return layers.finish('mlp', layers.dense(layers.plain('Relu', x), 'fc3', [200, 10]), DIGIT);
}

/** Two 5×5 convolutions (16 and 32 channels) with 2×2 pools, then 512-128-10: 80,202 weights. */
export function cnn(seed: number): Model {
  const layers = new Layers(seed);
  let x = layers.image('input', [1, 28, 28]);
  x = layers.pool(layers.plain('Relu', layers.conv(x, 'conv1', [16, 1, 5, 5])));
  x = layers.pool(layers.plain('Relu', layers.conv(x, 'conv2', [32, 16, 5, 5])));
  x = layers.dense(layers.plain('Flatten', x), 'fc1', [512, 128]);
  return layers.finish('cnn', layers.dense(layers.plain('Relu', x), 'fc2', [128, 10]), DIGIT);
}

/**
 * The CNN of McMahan et al. 2017: 5×5 convolutions that keep the size (32 and 64 channels), each
 * with a 2×2 pool, then 3136-512-10: 1,663,370 weights.
 */
export function fedAvgCnn(seed: number): Model {
  const layers = new Layers(seed);
  let x = layers.image('input', [1, 28, 28]);
  x = layers.conv(x, 'conv1', [32, 1, 5, 5], { pad: 2 });
  x = layers.pool(layers.plain('Relu', x));
  x = layers.conv(x, 'conv2', [64, 32, 5, 5], { pad: 2 });
  x = layers.plain('Flatten', layers.pool(layers.plain('Relu', x)));
  x = layers.plain('Relu', layers.dense(x, 'fc1', [3136, 512]));
  return layers.finish('fedavg-cnn', layers.dense(x, 'fc2', [512, 10]), DIGIT);
}

const BLOCKS_PER_STAGE = 3;

/**
 * ResNet-20 for 32×32 images (He et al. 2015, §4.2) with shortcuts without weights (option A):
 * 269,722 weights.
 */
export function resnet20(seed: number): Model {
  const layers = new Layers(seed);
  let x = layers.conv('input', 'conv1', [16, 3, 3, 3], { pad: 1, bias: false });
  x = layers.plain('Relu', layers.batchNorm(x, 'bn1', 16));
  let channels = 16;
  for (const [stage, width] of [16, 32, 64].entries()) {
    for (let i = 0; i < BLOCKS_PER_STAGE; i++) {
      x = residualBlock(layers, x, `layer${stage + 1}.${i}`, [channels, width]);
      channels = width;
    }
  }
  return layers.finish('resnet20', head(layers, x, channels), PHOTO);
}

/** Two 3×3 convolutions beside a shortcut; a wider block halves the image. */
function residualBlock(
  layers: Layers,
  x: string,
  name: string,
  [inner, outer]: readonly [number, number],
): string {
  const stride = inner === outer ? 1 : 2;
  const plain = { pad: 1, bias: false };
  let y = layers.conv(x, `${name}.conv1`, [outer, inner, 3, 3], { ...plain, stride });
  y = layers.plain('Relu', layers.batchNorm(y, `${name}.bn1`, outer));
  y = layers.conv(y, `${name}.conv2`, [outer, outer, 3, 3], plain);
  y = layers.batchNorm(y, `${name}.bn2`, outer);
  const shortcut = stride === 1 ? x : narrowed(layers, x, name, (outer - inner) / 2);
  return layers.plain('Relu', layers.plain('Add', [y, shortcut]));
}

/** Every second pixel, with channels of zeros on both sides. */
function narrowed(layers: Layers, x: string, name: string, channels: number): string {
  const list = (slot: string, values: readonly number[]) =>
    layers.constant(`${name}.${slot}`, int64s(values));
  const half = layers.plain('Slice', [
    x,
    list('starts', [0, 0]),
    list('ends', [32, 32]),
    list('axes', [2, 3]),
    list('steps', [2, 2]),
  ]);
  return layers.plain('Pad', [half, list('pads', [0, channels, 0, 0, 0, channels, 0, 0])]);
}

/** The mean over the image, then one layer. */
function head(layers: Layers, x: string, channels: number): string {
  const pooled = layers.plain('Flatten', layers.plain('GlobalAveragePool', x));
  return layers.dense(pooled, 'fc', [channels, 10]);
}

/** Outputs and stride of each depthwise-separable layer. */
const SEPARABLE: readonly (readonly [width: number, stride: number])[] = [
  [32, 1],
  [64, 2],
  [64, 1],
  [128, 2],
  [128, 1],
];

/**
 * Depthwise-separable layers with ReLU6 after a first convolution, in the manner of MobileNet
 * (Howard et al. 2017), for 32×32 images: 37,162 weights.
 */
export function mobilenet(seed: number): Model {
  const layers = new Layers(seed);
  const bounds = [layers.constant('relu6.min', scalar(0)), layers.constant('relu6.max', scalar(6))];
  const bounded = (x: string, name: string, channels: number) =>
    layers.plain('Clip', [layers.batchNorm(x, name, channels), ...bounds]);
  let x = layers.conv('input', 'conv1', [16, 3, 3, 3], { pad: 1, bias: false });
  x = bounded(x, 'bn1', 16);
  let channels = 16;
  for (const [i, [width, stride]] of SEPARABLE.entries()) {
    const name = `layer${i + 1}`;
    const each = { pad: 1, bias: false, group: channels, stride };
    x = layers.conv(x, `${name}.depthwise`, [channels, 1, 3, 3], each);
    x = bounded(x, `${name}.bn1`, channels);
    x = layers.conv(x, `${name}.pointwise`, [width, channels, 1, 1], { bias: false });
    x = bounded(x, `${name}.bn2`, width);
    channels = width;
  }
  return layers.finish('mobilenet', head(layers, x, channels), PHOTO);
}
