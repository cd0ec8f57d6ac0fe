import type { ExampleSet } from '@starling/trainer';

/** What an experiment trains and is tested on. */
export interface LabData {
  /** Name of the task, as a job has it. */
  readonly task: string;
  readonly train: ExampleSet;
  readonly test: ExampleSet;
  /** Natural id of each training example, where the set has them. */
  readonly ids: readonly string[] | undefined;
}
