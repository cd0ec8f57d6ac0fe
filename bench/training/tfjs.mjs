/**
 * Images per second of TensorFlow.js, in the manner of pytorch.py: one line of JSON on stdout for each
 * line on stdin. The backend is the first argument, `wasm` or `cpu`.
 */
import { createInterface } from 'node:readline';
import '@tensorflow/tfjs-backend-cpu';
import * as wasm from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';

const EXAMPLES = 6000;
const [backend] = process.argv.slice(2);
const here = createRequire(import.meta.url);
wasm.setWasmPaths(`${dirname(here.resolve('@tensorflow/tfjs-backend-wasm'))}/`);
wasm.setThreadsCount(1);
await tf.setBackend(backend);

const weight = (shape, inputs) =>
  tf.variable(tf.randomUniform(shape, -1 / Math.sqrt(inputs), 1 / Math.sqrt(inputs)));
const dense = (inputs, outputs) => [weight([inputs, outputs], inputs), weight([outputs], inputs)];

function modelOf(name) {
  if (name === 'mlp') {
    const layers = [dense(784, 200), dense(200, 200), dense(200, 10)];
    return (x) =>
      layers.reduce((value, [w, b], i) => {
        const next = tf.add(tf.matMul(value, w), b);
        return i < layers.length - 1 ? tf.relu(next) : next;
      }, x);
  }
  const [k1, k2] = [weight([5, 5, 1, 32], 25), weight([5, 5, 32, 64], 800)];
  const [b1, b2] = [weight([32], 25), weight([64], 800)];
  const [d1, d2] = [dense(3136, 512), dense(512, 10)];
  const stage = (x, kernel, bias) =>
    tf.maxPool(tf.relu(tf.add(tf.conv2d(x, kernel, 1, 'same'), bias)), 2, 2, 'valid');
  return (x) => {
    const image = tf.reshape(x, [-1, 28, 28, 1]);
    const features = tf.reshape(stage(stage(image, k1, b1), k2, b2), [-1, 3136]);
    const hidden = tf.relu(tf.add(tf.matMul(features, d1[0]), d1[1]));
    return tf.add(tf.matMul(hidden, d2[0]), d2[1]);
  };
}

async function measure({ model, batch, seconds }) {
  const predict = modelOf(model);
  const data = tf.randomUniform([EXAMPLES, 784]);
  const labels = tf.cast(tf.randomUniform([EXAMPLES], 0, 10, 'int32'), 'int32');
  const optimizer = tf.train.sgd(0.1);
  const step = async (i) => {
    const cost = tf.tidy(() => {
      const from = (i * batch) % (EXAMPLES - batch + 1);
      const rows = tf.range(from, from + batch, 1, 'int32');
      const x = tf.gather(data, rows);
      const target = tf.oneHot(tf.gather(labels, rows), 10);
      return optimizer.minimize(() => {
        const shifted = predict(x);
        const logits = tf.sub(shifted, tf.logSumExp(shifted, 1, true));
        return tf.neg(tf.mean(tf.sum(tf.mul(logits, target), 1)));
      }, true);
    });
    await cost.data();
    cost.dispose();
  };
  await step(0);
  const start = performance.now();
  for (let done = 1; ; done++) {
    await step(done);
    const elapsed = (performance.now() - start) / 1000;
    if (elapsed >= seconds) return (done * batch) / elapsed;
  }
}

console.log(JSON.stringify({ version: tf.version_core }));
for await (const line of createInterface({ input: process.stdin })) {
  try {
    console.log(JSON.stringify({ imagesPerSecond: await measure(JSON.parse(line)) }));
  } catch (error) {
    console.log(JSON.stringify({ unable: String(error.message ?? error).split('\n')[0] }));
  }
}
