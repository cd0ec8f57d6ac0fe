import { ProtocolError } from '@starling/core';
import { ON_CPU, type Place } from './device.ts';

/** Where a job goes on that could not be trained where it was. */
export interface Retreat {
  readonly place: Place;
  /** What happened, for the log. */
  readonly words: string;
  /** Whether a training begins again: what was left of it may hold numbers that are none. */
  readonly startsAgain: boolean;
}

/** A driver may take the whole process down. */
const DEVICE_FAULTS: readonly string[] = ['device-failed', 'trainer-died'];

/** Undefined where the place is not to blame for the failure. */
export function retreatFrom({ device, precision }: Place, error: unknown): Retreat | undefined {
  if (!(error instanceof ProtocolError)) return undefined;
  if (precision === 'float16' && error.code === 'not-finite') {
    return {
      place: { device, precision: 'float32' },
      words: 'the job left the range of float16 and goes on in float32',
      startsAgain: true,
    };
  }
  if (device === 'cpu' || !DEVICE_FAULTS.includes(error.code)) return undefined;
  const words = `the job failed on ${device} and goes on on the CPU`;
  return { place: ON_CPU, words, startsAgain: false };
}
