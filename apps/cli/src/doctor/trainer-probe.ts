import type { Log } from '@starling/core';
import type { Config } from '@starling/daemon';
import { writeModel } from '@starling/onnx';
import { ALL_SHARED, createTrainer, datasetCatalog, zooModel } from '@starling/trainer';
import type { TrainerProbe } from './trainer-checks.ts';

/** What the trainer says while it is probed is in the findings. */
const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

export interface OpenProbe extends TrainerProbe {
  close(): Promise<void>;
}

/** @param childEntry the bundled child of the trainer */
export function openTrainerProbe(config: Config, childEntry: URL): OpenProbe {
  const { device, precision, ...limits } = config.resources.trainer;
  const datasets = datasetCatalog([]);
  const trainer = createTrainer({ childEntry, datasets, log: silent, limits, device, precision });
  return {
    async start() {
      await trainer.describe(writeModel(zooModel('logistic', 1)), ALL_SHARED);
    },
    devices: () => trainer.devices(),
    support: () => trainer.support(),
    cage: () => trainer.cage(),
    close: () => trainer.close(),
  };
}
