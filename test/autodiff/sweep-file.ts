import { fileURLToPath } from 'node:url';

/** Where the sweep's summary is recorded. */
export const SWEEP_FILE = fileURLToPath(new URL('../../docs/autodiff/sweep.json', import.meta.url));
