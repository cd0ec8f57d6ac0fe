import type { Model } from '@starling/onnx';
import { cnn, fedAvgCnn, logistic, mlp, mobilenet, resnet20 } from './zoo/images.ts';
import { charLstm, gpt } from './zoo/text.ts';

const MODELS = {
  logistic,
  mlp,
  cnn,
  'fedavg-cnn': fedAvgCnn,
  resnet20,
  mobilenet,
  'char-lstm': (seed) => charLstm(seed),
  gpt: (seed) => gpt(seed),
} as const satisfies Readonly<Record<string, (seed: number) => Model>>;

export type ZooName = keyof typeof MODELS;

const isZooName = (name: string): name is ZooName => name in MODELS;

/** Names of the forward models that are built here. */
export const ZOO: readonly ZooName[] = Object.keys(MODELS).filter(isZooName);

/** A forward model with random weights that are a function of `seed`. */
export const zooModel = (name: ZooName, seed: number): Model => MODELS[name](seed);
