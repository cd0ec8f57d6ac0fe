import type { EngineInput, InferenceEngine } from '../engine.ts';
import type { NamedTensor, TensorSpec } from '../tensors.ts';

export interface FakeOptions {
  /** Added to each number. */
  readonly plus?: number;
  readonly unbatchable?: string;
  readonly inputs?: readonly TensorSpec[];
}

/** Adds a number to each of `x`, when the test lets it. */
export class FakeEngine implements InferenceEngine {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly unbatchable: string | null;
  readonly device = 'cpu';
  isReady = true;
  isClosed = false;
  /** Rows of each run that was begun. */
  readonly runs: number[] = [];
  readonly #plus: number;
  #held: (() => void)[] | undefined;

  constructor({ plus = 1, unbatchable, inputs }: FakeOptions = {}) {
    this.inputs = inputs ?? [{ name: 'x', dtype: 'float32', shape: [null, 2] }];
    this.outputs = [
      { name: 'y', dtype: 'float32', shape: [null, 2] },
      { name: 'z', dtype: 'float32', shape: [null, 2] },
    ];
    this.#plus = plus;
    this.unbatchable = unbatchable ?? null;
  }

  /** From now on runs wait; the answer lets them go. */
  hold(): () => void {
    const held: (() => void)[] = [];
    this.#held = held;
    return () => {
      this.#held = undefined;
      for (const go of held) go();
    };
  }

  async run([input]: readonly EngineInput[]): Promise<readonly NamedTensor[]> {
    const { shape, pieces } = input!;
    this.runs.push(shape[0]!);
    const held = this.#held;
    if (held !== undefined) await new Promise<void>((resolve) => held.push(resolve));
    if (this.isClosed) throw new Error('it is closed');
    const numbers = new Float32Array(new Uint8Array(Buffer.concat(pieces)).buffer);
    const bytes = new Uint8Array(numbers.map((value) => value + this.#plus).buffer);
    return ['y', 'z'].map((name) => ({ name, dtype: 'float32', shape, bytes }));
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}

export const floats = (rows: readonly (readonly number[])[], name = 'x'): NamedTensor => ({
  ...{ name, dtype: 'float32', shape: [rows.length, rows[0]?.length ?? 0] },
  bytes: new Uint8Array(Float32Array.from(rows.flat()).buffer),
});

export const numbersOf = ({ bytes }: NamedTensor): readonly number[] => [
  ...new Float32Array(new Uint8Array(bytes).buffer),
];
