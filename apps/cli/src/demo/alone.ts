import type { TrainerJob } from '@starling/rounds';
import {
  createTrainer,
  datasetCatalog,
  type ExampleSet,
  evaluateModel,
  inspectOffer,
} from '@starling/trainer';

export interface AloneOptions {
  readonly job: Omit<TrainerJob, 'dataset'>;
  readonly folders: readonly string[];
  readonly test: ExampleSet;
  readonly rounds: number;
  readonly seed: number;
  readonly childEntry: URL;
  readonly onPeer: (index: number, accuracy: number) => void;
}

/** What each peer reaches with its own data only: as many local epochs, no aggregation. */
export async function trainAlone(options: AloneOptions): Promise<readonly number[]> {
  const { job, folders, test, rounds, seed, childEntry, onPeer } = options;
  const names = await Promise.all(
    folders.map((path, i) => inspectOffer(`peer-${i}`, path, { task: job.data.task })),
  );
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const trainer = createTrainer({ childEntry, datasets: datasetCatalog(names), log: silent });
  const accuracies: number[] = [];
  try {
    for (const [i, { name }] of names.entries()) {
      const prepared = await trainer.prepare({ ...job, dataset: name });
      const vector = prepared.initial.slice();
      for (let round = 0; round < rounds; round++) {
        const { update } = await prepared.train(vector, seed + round);
        for (let k = 0; k < vector.length; k++) vector[k] = vector[k]! + update[k]!;
      }
      await prepared.close();
      const { accuracy } = await evaluateModel(job.model, test, vector);
      accuracies.push(accuracy);
      onPeer(i, accuracy);
    }
  } finally {
    await trainer.close();
  }
  return accuracies;
}
