import type { Manifest } from '@starling/protocol-rounds';
import type { DataSchema, TrainerJob } from '@starling/rounds';

/** What the data of a job must look like. */
export const schemaOf = ({ data }: Manifest): DataSchema => ({
  task: data.task,
  input: { dtype: data.inputType, shape: data.inputShape },
  target: data.target,
  classes: data.classes,
});

/** A manifest as the trainer has it. */
export function trainerJob(manifest: Manifest, model: Uint8Array, dataset: string): TrainerJob {
  const { loss, training, aggregation } = manifest;
  return {
    ...{ modelHash: manifest.model, model, loss, training, dataset },
    clippingNorm: aggregation.clippingNorm,
    data: schemaOf(manifest),
    ...(aggregation.algorithm === 'scaffold' && { control: true }),
  };
}
