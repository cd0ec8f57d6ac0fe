interface Deadline {
  readonly signal: AbortSignal;
  /** To be called when it is not needed any more. */
  readonly end: () => void;
}

/**
 * A signal that aborts after so long, or with the other. `AbortSignal.any` and `.timeout` will not
 * do: they hold each other weakly, and after a garbage collection never fire (seen in Node 20).
 */
export function deadlineOf(ms: number, signal: AbortSignal): Deadline {
  const controller = new AbortController();
  const abort = (reason: unknown) => controller.abort(reason);
  const follow = () => abort(signal.reason);
  const timer = setTimeout(() => abort(new Error(`no answer within ${ms / 1000} s`)), ms);
  if (signal.aborted) follow();
  else signal.addEventListener('abort', follow, { once: true });
  const end = () => {
    clearTimeout(timer);
    signal.removeEventListener('abort', follow);
  };
  return { signal: controller.signal, end };
}

/** @throws when it takes longer, or the signal comes first; the work's own end is then ignored */
export async function within(ms: number, signal: AbortSignal, work: Promise<void>): Promise<void> {
  const { signal: limit, end } = deadlineOf(ms, signal);
  const aborted = new Promise<never>((_resolve, reject) => {
    if (limit.aborted) reject(limit.reason);
    limit.addEventListener('abort', () => reject(limit.reason), { once: true });
  });
  // The loser of the race may fail later, with nobody to hear it.
  work.catch(() => {});
  try {
    await Promise.race([work, aborted]);
  } finally {
    end();
  }
}

/** Resolves when the work has ended, well or not, and after so long in any case. */
export async function endedWithin(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work.catch(() => {}), late]);
  clearTimeout(timer);
}
