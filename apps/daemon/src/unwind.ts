import { errorMessage, type Log } from '@starling/core';

/**
 * Ends what was begun, the last first. One part that cannot end keeps none of the others, such as
 * the journal, from their end: it is logged. Never rejects.
 */
export async function unwind(steps: (() => Promise<void>)[], log: Log): Promise<void> {
  for (const step of steps.splice(0).reverse()) {
    try {
      await step();
    } catch (error) {
      log.error('a part of the daemon did not end as it should', { error: errorMessage(error) });
    }
  }
}
