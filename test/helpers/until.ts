/** How often a condition is looked at. */
const POLL_MS = 20;

/**
 * Resolves with the first answer of `condition` that is neither false nor undefined.
 * @throws with `what` in the message when `timeoutMs` pass before
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  timeoutMs = 60_000,
  what = 'the condition',
): Promise<Exclude<T, false | undefined>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await condition();
    if (answer !== false && answer !== undefined) return answer as Exclude<T, false | undefined>;
    if (performance.now() > deadline)
      throw new Error(`${what} did not hold within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
