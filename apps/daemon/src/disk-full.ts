import { errorMessage } from '@starling/core';

/** Whether something failed for want of room: Node's own code, or LevelDB's words for it. */
export const isDiskFull = (error: unknown): boolean =>
  (error instanceof Error && 'code' in error && error.code === 'ENOSPC') ||
  /no space left on device|ENOSPC/i.test(errorMessage(error));
