import type { Manifest } from '@starling/protocol-rounds';
import type { DataSchema, ExampleNoise, TrainerJob } from '@starling/rounds';

/** What the data of a job must look like. */
export const schemaOf = ({ data }: Manifest): DataSchema => ({
  task: data.task,
  input: { dtype: data.inputType, shape: data.inputShape },
  target: data.target,
  classes: data.classes,
});

/** Where a job trains, and what the owner of that data set adds to it. */
export interface TrainingPlace {
  readonly dataset: string;
  readonly exampleNoise: ExampleNoise | undefined;
}

/** A manifest as the trainer has it. */
export function trainerJob(
  manifest: Manifest,
  model: Uint8Array,
  { dataset, exampleNoise }: TrainingPlace,
): TrainerJob {
  const { loss, training, aggregation } = manifest;
  return {
    ...{ modelHash: manifest.model, model, loss, training, dataset },
    clippingNorm: aggregation.clippingNorm,
    data: schemaOf(manifest),
    ...(aggregation.algorithm === 'scaffold' && { control: true }),
    ...(exampleNoise && { exampleNoise }),
  };
}
