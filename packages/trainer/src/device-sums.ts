import { productsInHalf } from '@starling/autodiff';
import { GraphBuilder } from '@starling/onnx';
import type { Device } from './device.ts';
import { createSession, loadOrt, scalarOf } from './ort.ts';

/** From 2^8 on 0.1 is below half of a float16's last place: a sum of such terms stands still. */
const TERMS = 4096;
const TERM = 0.1;
const TOLERANCE = 0.01;

/** Whether a device adds up the terms of a product of float16 in float16, as WebGPU's do. */
export async function sumsInHalf(device: Device, threads: number): Promise<boolean> {
  const { Tensor } = await loadOrt();
  const builder = new GraphBuilder();
  const row = builder.input('row', { dtype: 'float32', shape: [1, TERMS] });
  const column = builder.input('column', { dtype: 'float32', shape: [TERMS, 1] });
  const product = builder.add('MatMul', [row, column]);
  productsInHalf(builder);
  const graph = builder.finish('sum', [builder.named(product, 'sum')]);
  const session = await createSession({ graph }, threads, { device });
  try {
    const results = await session.run({
      row: new Tensor('float32', new Float32Array(TERMS).fill(TERM), [1, TERMS]),
      column: new Tensor('float32', new Float32Array(TERMS).fill(1), [TERMS, 1]),
    });
    return !(Math.abs(scalarOf(results, 'sum') / (TERMS * TERM) - 1) < TOLERANCE);
  } finally {
    await session.release();
  }
}
