/** @throws when it takes longer, or the signal comes first; the work's own end is then ignored */
export async function within(ms: number, signal: AbortSignal, work: Promise<void>): Promise<void> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(ms)]);
  let onAbort: () => void = () => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(new Error(`no confirmation within ${ms / 1000} s`));
    limit.addEventListener('abort', onAbort);
  });
  // The loser of the race may fail later, with nobody to hear it.
  work.catch(() => {});
  try {
    await Promise.race([work, aborted]);
  } finally {
    limit.removeEventListener('abort', onAbort);
  }
}
