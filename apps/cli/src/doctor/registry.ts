import type { Config } from '@starling/daemon';
import { MEMORY_MIN } from '@starling/trainer';
import type { Check } from './check.ts';
import type { Machine } from './machine.ts';
import {
  clockCheck,
  configCheck,
  filesCheck,
  memoryCheck,
  nodeCheck,
  stateCheck,
} from './machine-checks.ts';
import {
  accessCheck,
  bootstrapCheck,
  dhtCheck,
  gossipCheck,
  listenCheck,
  natCheck,
  peersCheck,
  relayCheck,
  skewCheck,
} from './network-checks.ts';
import type { NetworkProbe } from './network-probe.ts';
import { cageCheck, devicesCheck, type TrainerProbe, trainerCheck } from './trainer-checks.ts';

export interface DoctorParts {
  readonly machine: Machine;
  readonly stateDirectory: string;
  readonly config: Config;
  /** Where the configuration is from, and why it cannot be used. */
  readonly configFile: { readonly path: string | undefined; readonly error: string | undefined };
  readonly trainer: TrainerProbe;
  readonly network: NetworkProbe;
}

/**
 * All checks, in the order in which trouble spreads: what a later one needs, an earlier one looks
 * at. New ones are added here.
 */
export function allChecks(parts: DoctorParts): readonly Check[] {
  const { machine, stateDirectory, config, configFile, trainer, network } = parts;
  const { device, precision, memory } = config.resources.trainer;
  return [
    nodeCheck(machine),
    configCheck(configFile.path, configFile.error),
    stateCheck(machine, stateDirectory),
    memoryCheck(machine, MEMORY_MIN, memory),
    filesCheck(machine),
    clockCheck(machine, stateDirectory),
    listenCheck(network, config),
    bootstrapCheck(network, config),
    accessCheck(network),
    peersCheck(network),
    skewCheck(network),
    natCheck(network),
    relayCheck(network),
    dhtCheck(network),
    gossipCheck(network),
    trainerCheck(trainer),
    devicesCheck(trainer, { device, precision }),
    cageCheck(trainer, machine.platform),
  ];
}
