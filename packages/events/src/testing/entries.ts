import type { Entry } from '../outbox.ts';
import { JOB } from './jobs.ts';

/** The entry of a round's training. */
export const entryOf = (sequence: number): Entry => ({
  sequence,
  event: {
    ...{ specversion: '1.0', id: `e${sequence}`, source: 'urn:starling:peer:a' },
    ...{ type: 'starling.round.training', subject: `jobs/${JOB}/rounds/${sequence}` },
    ...{ time: '2026-01-01T00:00:00.000Z', datacontenttype: 'application/json' },
    ...{ partitionkey: JOB, sequence: String(sequence).padStart(12, '0') },
    data: { job: JOB, name: 'digits', round: sequence },
  },
});
