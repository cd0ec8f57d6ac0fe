/**
 * Entry of the process that served models are compared with: a bare session of onnxruntime-node,
 * run again and again on one input, with nothing between the runs.
 */
import { readModel } from '@starling/onnx';
import { loadOrt } from '../ort.ts';

export interface PlainTask {
  readonly model: Uint8Array;
  readonly rows: number;
  readonly threads: number;
  readonly milliseconds: number;
  /** Milliseconds between two runs. */
  readonly pauseMs: number;
}

/** Milliseconds of each run. */
export type PlainTimes = Float64Array;

async function run({ model, rows, threads, milliseconds, pauseMs }: PlainTask) {
  const { InferenceSession, Tensor } = await loadOrt();
  const session = await InferenceSession.create(model, {
    ...{ intraOpNumThreads: threads, interOpNumThreads: 1, logSeverityLevel: 3 },
  });
  const [{ name, shape: open } = { name: '', shape: [] }] = readModel(model).graph.inputs;
  const shape = open.map((size) => (typeof size === 'number' ? size : rows));
  const values = Float32Array.from(
    { length: shape.reduce((product, size) => product * size, 1) },
    (_, i) => (i % 255) / 255,
  );
  const once = () => session.run({ [name]: new Tensor('float32', values, shape) });
  for (let i = 0; i < 20; i++) await once();
  const times: number[] = [];
  for (const end = performance.now() + milliseconds; performance.now() < end; ) {
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    const began = performance.now();
    await once();
    times.push(performance.now() - began);
  }
  await session.release();
  return Float64Array.from(times);
}

process.on('message', (task: PlainTask) => {
  void run(task).then((times) => process.send?.(times));
});
process.on('disconnect', () => process.exit(0));
