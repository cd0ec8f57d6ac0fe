import type { ElementPlan } from './elements.ts';
import type { ReadingUnit } from './options.ts';
import type { DataFormat, SourceInfo, TargetInfo } from './source.ts';
import type { TableColumns } from './table-plan.ts';
import type { TextBlock } from './text.ts';

/**
 * How files become examples: what inspection found, kept as JSON beside the data set's name, so
 * that opening it needs no second look at all the data.
 */
export interface ReadingPlan {
  readonly format: DataFormat;
  /** Number and bytes of the files: others are other data. */
  readonly files: number;
  readonly bytes: number;
  readonly count: number;
  readonly shape: readonly number[];
  readonly elements: ElementPlan;
  readonly target: TargetInfo;
  /** Examples of each class; empty without classes. */
  readonly histogram: readonly number[];
  readonly reading: Reading;
}

/** What is particular to a kind of format. */
export type Reading =
  | {
      readonly kind: 'table';
      readonly columns: TableColumns;
      /** Rows of each file. */
      readonly rows: readonly number[];
    }
  | { readonly kind: 'arrays'; readonly inputs: string; readonly targets: string | null }
  | { readonly kind: 'images' }
  | {
      readonly kind: 'text';
      readonly unit: ReadingUnit;
      readonly alphabet: readonly string[];
      readonly blocks: readonly TextBlock[];
    };

export const sourceInfo = ({ format, count, shape, elements, target }: ReadingPlan): SourceInfo => {
  const { dtype } = elements;
  return { format, count, shape, target, elements: dtype === 'float32' ? { dtype } : elements };
};
