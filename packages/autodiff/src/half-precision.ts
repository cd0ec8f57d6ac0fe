import { ELEMENT_TYPES, type GraphBuilder, int, type Node } from '@starling/onnx';

/** In what numbers products and convolutions are computed; all else is float32 in any case. */
export const PRECISIONS = ['float32', 'float16'] as const;
export type Precision = (typeof PRECISIONS)[number];

/**
 * How many times too large gradients are on their way back through float16, whose least number is
 * 2^−24: a fixed factor as in Micikevicius et al. 2018, "Mixed Precision Training", section 3.2.
 * A power of two changes no bit of a float32. This one leaves gradients up to 64 below the greatest
 * float16, 65,504, and all above 6·10^−8 their full precision.
 */
export const LOSS_SCALE = 2 ** 10;

/** `TensorProto.FLOAT16`. It is no type of the house: it lives between two nodes that follow. */
const FLOAT16 = 10;

const PRODUCTS: ReadonlySet<string> = new Set(['MatMul', 'Gemm', 'Conv', 'ConvTranspose']);

/**
 * Makes the products and convolutions so far take and give float16: a Cast in front of each
 * operand, one for each value, and one behind the result, which is float32 again at once. Nothing
 * else changes, so whatever is summed between operators is summed in float32. How a kernel sums
 * inside one product is the device's matter. Products of other types stay as they are.
 */
export function productsInHalf(builder: GraphBuilder): void {
  const isFloat = (name: string) => name === '' || builder.type(name).dtype === 'float32';
  builder.rewrite((nodes, fresh) => {
    const halves = new Map([['', '']]);
    const cast = (from: string, to: string, type: number): Node => {
      const attributes = new Map([['to', int(type)]]);
      return { name: fresh(`${to}/cast`), op: 'Cast', inputs: [from], outputs: [to], attributes };
    };
    return nodes.flatMap((node) => {
      if (!PRODUCTS.has(node.op) || !node.inputs.every(isFloat)) return [node];
      const casts = [...new Set(node.inputs)]
        .filter((input) => !halves.has(input))
        .map((input) => {
          const half = fresh(`${input}/half`);
          halves.set(input, half);
          return cast(input, half, FLOAT16);
        });
      const inputs = node.inputs.map((input) => halves.get(input)!);
      const output = node.outputs[0]!;
      const half = fresh(`${output}/half`);
      // Another product that takes this result needs no Cast there and back.
      halves.set(output, half);
      const product = { ...node, inputs, outputs: [half] };
      return [...casts, product, cast(half, output, ELEMENT_TYPES.float32)];
    });
  });
}
