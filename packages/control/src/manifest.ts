import { randomBytes } from 'node:crypto';
import type { BlobHash } from '@starling/core';
import { hashHex } from '@starling/crypto';
import { type Manifest, NO_PRIVACY, type Privacy } from '@starling/protocol-rounds';
import { aggregationOf } from './aggregation-schema.ts';
import { type JobFile, jobFileSchema } from './schemas.ts';

/** What a job file means that does not say it. */
function usualTarget({ classes, input }: JobFile['data']): Manifest['data']['target'] {
  if (classes === 0) return 'numbers';
  return input.dtype === 'int32' ? 'sequence' : 'classes';
}

/** A tenth more than the rounds: an update that an attempt burns is one that was given. */
const spareUpdates = (rounds: number): number => Math.ceil(rounds / 10);

function privacyOf({ privacy, stop }: JobFile): Privacy {
  const { mechanism, noiseMultiplier = 0, delta = 1e-5, updatesMax } = privacy;
  if (mechanism === 'none') return NO_PRIVACY;
  const updates = updatesMax ?? stop.rounds + spareUpdates(stop.rounds);
  return { mechanism, noiseMultiplier, delta, updatesMax: updates };
}

/**
 * The manifest that a job file and its model make, each time with a nonce of its own. A noise that
 * the file gives by its epsilon is still 0.
 * @param model the ONNX file's bytes
 */
export function manifestOf(file: JobFile, model: Uint8Array): Manifest {
  return {
    name: file.name,
    model: hashHex(model) as BlobHash,
    data: {
      ...{ task: file.data.task, inputType: file.data.input.dtype },
      inputShape: file.data.input.shape,
      target: file.data.target ?? usualTarget(file.data),
      classes: file.data.classes,
    },
    loss: file.loss,
    training: file.training,
    aggregation: aggregationOf(file.aggregation),
    privacy: privacyOf(file),
    admission: file.admission,
    stop: {
      ...{ rounds: file.stop.rounds, target: file.stop.target ?? null },
      seconds: Math.ceil(60 * (file.stop.minutes ?? 0)),
    },
    nonce: new Uint8Array(randomBytes(16)),
  };
}

/**
 * The job file that makes such a manifest, but for its nonce: `manifestOf` turned round.
 * @param model what the file is to name as its model
 */
export function jobFileOf(manifest: Manifest, model: string): JobFile {
  const { data, privacy, stop, nonce: _, ...rest } = manifest;
  const { mechanism, ...noise } = privacy;
  return {
    ...rest,
    model,
    data: {
      ...{ task: data.task, target: data.target, classes: data.classes },
      input: { dtype: data.inputType, shape: [...data.inputShape] },
    },
    privacy: mechanism === 'none' ? { mechanism } : { mechanism, ...noise },
    stop: {
      rounds: stop.rounds,
      ...(stop.target && { target: stop.target }),
      ...(stop.seconds > 0 && { minutes: stop.seconds / 60 }),
    },
  };
}

/** The same job file without what it would be anyway: short enough to be read and changed. */
export function leanJobFile(file: JobFile): object {
  const meant = meaningOf(file);
  return withoutDefaults(structuredClone(file), (lean) => meaningOf(lean) === meant);
}

/** What a file comes to, or undefined when it is none. */
function meaningOf(file: unknown): string | undefined {
  const parsed = jobFileSchema.safeParse(file);
  if (!parsed.success) return undefined;
  return JSON.stringify({ ...manifestOf(parsed.data, NO_MODEL), nonce: [] });
}
const NO_MODEL = new Uint8Array(0);

/** Leaves away every key without which the whole still means the same, the innermost first. */
function withoutDefaults<T extends object>(whole: T, isSame: (whole: T) => boolean): T {
  const visit = (map: Record<string, unknown>): void => {
    for (const [key, value] of Object.entries(map)) {
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
        visit(value as Record<string, unknown>);
      }
      delete map[key];
      if (!isSame(whole)) map[key] = value;
    }
  };
  visit(whole as Record<string, unknown>);
  return whole;
}
