import type { Attribute, Graph, Tensor } from '@starling/onnx';
import type { Case } from '../helpers/gradient-check.ts';
import type { node } from '../helpers/small-graphs.ts';

/** A forward call, and ONNX Runtime's kernels that differentiate it. */
export interface OracleCase extends Case {
  /** The kernel that is compared with. */
  readonly kernel: string;
  /**
   * Nodes for the drawn inputs x0, x1, … and the gradient dy of the first output: forward, then the
   * kernel; `di` is the gradient of xi. `mask` is the mask of our Dropout.
   */
  readonly nodes: (made: typeof node) => Graph['nodes'];
  /** Constants that the nodes use. */
  readonly constants?: Readonly<Record<string, Tensor>>;
  /** Drawn inputs whose gradients are compared. */
  readonly compared: readonly number[];
}

export type Attributes = Readonly<Record<string, Attribute>>;

/** A name in ONNX Runtime's own domain. */
export const ms = (op: string) => `com.microsoft.${op}`;
