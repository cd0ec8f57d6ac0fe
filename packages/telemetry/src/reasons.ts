/** Labels of metrics are of closed lists: what a stranger says must not make series. */
export const RETRY_REASONS = [
  ...['abandoned', 'abort-decided', 'cell-left-out', 'never-masked', 'no-cells'],
] as const;
export const BURN_REASONS = [
  ...['cell-divided', 'certificate-missing', 'quorum-lost'],
  ...['shares-inconsistent', 'sum-out-of-range'],
] as const;
export const CONVICTION_REASONS = [
  ...['equivocation', 'inconsistent-shares', 'wrong-audit'],
  ...['wrong-plain-sum', 'wrong-sum', 'wrong-tag'],
] as const;

export const OTHER = 'other';

/** `reason` where it is in the list, else `other`. */
export const bounded = (reason: string, known: readonly string[]): string =>
  known.includes(reason) ? reason : OTHER;
