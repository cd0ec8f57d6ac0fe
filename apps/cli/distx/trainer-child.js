import {
  BYTE_SCALE,
  buildEpochGraph,
  createGenerator,
  createSession,
  describeModel,
  EPOCH_INPUTS,
  EPOCH_OUTPUTS,
  initialVector,
  loadDataset,
  loadOrt,
  outputShape,
  permutation,
  Scorer,
  scalarOf,
  splitDataset,
} from './chunk-4B55UYVQ.js';
import { errorMessage, ProtocolError, unreachable } from './chunk-74QJAORY.js';
import { readModel } from './chunk-C6FHXPGE.js';

// packages/trainer/src/local-job.ts
var STEPS_MAX = 1e6;
async function openLocalJob({ job, data, threads }) {
  const model = readModel(job.model);
  const { training, validation } = splitDataset(data.count);
  const batchSize = Math.min(job.training.batchSize, training.length);
  checkTargets(job, outputShape(model, [batchSize, ...data.shape]), data.labels);
  const stepsPerEpoch = Math.ceil(training.length / batchSize);
  const steps = job.training.epochs * stepsPerEpoch;
  if (!(steps >= 1 && steps <= STEPS_MAX)) {
    throw new ProtocolError('job-limit', `${steps} local steps, at most ${STEPS_MAX}`);
  }
  const session = await createSession(epochGraph(job, model, data, { batchSize, steps }), threads);
  const { loss } = job;
  const scorer = await Scorer.open({ model, loss, data, indices: validation, threads });
  return new LocalJob(
    { job, data, training, batchSize, steps },
    initialVector(model),
    session,
    scorer,
  );
}
function checkTargets(job, output, labels) {
  const { classes } = job.data;
  if (job.loss !== 'softmax-cross-entropy') {
    throw new ProtocolError(
      'data-mismatch',
      `${job.loss}: IDX data sets hold classes, not numbers`,
    );
  }
  const outputs = output[1] ?? 0;
  if (outputs < classes) {
    throw new ProtocolError('model-mismatch', `${outputs} outputs for ${classes} classes`);
  }
  const bad = labels.find((label) => label >= classes);
  if (bad !== void 0) {
    throw new ProtocolError('data-mismatch', `label ${bad} in a job of ${classes} classes`);
  }
}
function epochGraph(job, model, data, plan) {
  return buildEpochGraph({
    model,
    loss: job.loss,
    data: { dtype: 'uint8', examples: data.count, example: data.shape, scale: BYTE_SCALE },
    batchSize: plan.batchSize,
    steps: plan.steps,
    momentum: job.training.momentum,
  });
}
var LocalJob = class {
  layout;
  initial;
  #parts;
  #session;
  #scorer;
  #fixed;
  constructor(parts, initial, session, scorer) {
    this.#parts = parts;
    this.#session = session;
    this.#scorer = scorer;
    this.initial = initial;
    this.layout = { parameters: initial.length, buffers: 0 };
  }
  async train(vector, seed) {
    this.#checkLength(vector);
    const { Tensor } = await loadOrt();
    const { steps, batchSize, training } = this.#parts;
    const order = batchOrder(this.#parts, createGenerator(seed));
    this.#fixed ??= await this.#fixedFeeds();
    const feeds = {
      ...this.#fixed,
      [EPOCH_INPUTS.vector]: new Tensor('float32', vector, [vector.length]),
      [EPOCH_INPUTS.order]: new Tensor('int32', order, [steps, batchSize]),
    };
    const { clipped, norm, meanLoss } = EPOCH_OUTPUTS;
    const results = await this.#session.run(feeds, [clipped, norm, meanLoss]);
    const update = results[clipped].data;
    const length = scalarOf(results, norm);
    const trainingLoss = scalarOf(results, meanLoss);
    if (
      !Number.isFinite(length) ||
      !Number.isFinite(trainingLoss) ||
      !update.every(Number.isFinite)
    ) {
      throw new ProtocolError(
        'not-finite',
        `local training diverged (update norm ${length}, loss ${trainingLoss})`,
      );
    }
    return { update, norm: length, trainingLoss, localSteps: steps, examples: training.length };
  }
  async evaluate(vector, examplesMax) {
    this.#checkLength(vector);
    return this.#scorer.score(vector, examplesMax);
  }
  async close() {
    await this.#session.release();
    await this.#scorer.close();
  }
  #checkLength(vector) {
    if (vector.length !== this.initial.length) {
      throw new ProtocolError(
        'model-mismatch',
        `a vector of ${vector.length} elements for a model of ${this.initial.length}`,
      );
    }
  }
  async #fixedFeeds() {
    const { Tensor } = await loadOrt();
    const { data, job } = this.#parts;
    const number = (value) => new Tensor('float32', Float32Array.of(value), []);
    return {
      [EPOCH_INPUTS.data]: new Tensor('uint8', data.images, [data.count, ...data.shape]),
      [EPOCH_INPUTS.targets]: new Tensor('int32', Int32Array.from(data.labels), [data.count]),
      [EPOCH_INPUTS.learningRate]: number(job.training.learningRate),
      [EPOCH_INPUTS.clippingNorm]: number(job.clippingNorm),
    };
  }
};
function batchOrder({ training, batchSize, steps }, generator) {
  const stepsPerEpoch = Math.ceil(training.length / batchSize);
  const order = new Int32Array(steps * batchSize);
  for (let at = 0; at < order.length; at += stepsPerEpoch * batchSize) {
    const epoch = permutation(training.length, generator);
    for (let i = 0; i < stepsPerEpoch * batchSize; i++) {
      order[at + i] = training[epoch[i % training.length]];
    }
  }
  return order;
}

// packages/trainer/src/child-main.ts
var jobs = /* @__PURE__ */ new Map();
function jobOf(handle) {
  const job = jobs.get(handle);
  if (job === void 0) throw new ProtocolError('no-such-job', `job ${handle} is not prepared`);
  return job;
}
async function answer(request) {
  switch (request.kind) {
    case 'describe': {
      const { initial } = describeModel(readModel(request.model));
      return { layout: { parameters: initial.length, buffers: 0 }, initial };
    }
    case 'prepare': {
      const data = await loadDataset(request.datasetPath);
      const job = await openLocalJob({ job: request.job, data, threads: request.threads });
      jobs.set(request.handle, job);
      return { layout: job.layout, initial: job.initial };
    }
    case 'train':
      return jobOf(request.handle).train(request.vector, request.seed);
    case 'evaluate':
      return jobOf(request.handle).evaluate(request.vector, request.examplesMax);
    case 'close': {
      const job = jobs.get(request.handle);
      jobs.delete(request.handle);
      await job?.close();
      return null;
    }
    default:
      return unreachable(request);
  }
}
async function respond({ id, request }) {
  try {
    return { id, ok: true, result: await answer(request) };
  } catch (error) {
    const code = error instanceof ProtocolError ? error.code : 'trainer-failed';
    return { id, ok: false, code, message: errorMessage(error) };
  }
}
var queue = Promise.resolve();
process.on('message', (envelope) => {
  queue = queue.then(async () => {
    const response = await respond(envelope);
    if (process.connected) process.send(response, void 0, void 0, () => {});
  });
});
process.on('disconnect', () => process.exit(0));
process.on('SIGINT', () => {});
//# sourceMappingURL=trainer-child.js.map
