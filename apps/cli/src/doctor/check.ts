/** `skipped` is what this machine cannot be asked, or need not have. */
export const VERDICTS = ['ok', 'warn', 'fail', 'skipped'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** One thing that was looked at. */
export interface Finding {
  readonly verdict: Verdict;
  /** What was seen, in one sentence with its numbers. */
  readonly evidence: string;
  /** What to do about it; every `warn` and `fail` has one. */
  readonly next?: string;
}

/** One kind of trouble that is looked for; its findings are in the order of their names. */
export interface Check {
  /** For scripts; stays as it is from release to release. */
  readonly id: string;
  readonly title: string;
  /** Must not throw for what it looks for: that is a finding. */
  run(): Promise<readonly Finding[]>;
}

export interface CheckResult {
  readonly id: string;
  readonly title: string;
  readonly findings: readonly Finding[];
}

export const ok = (evidence: string): Finding => ({ verdict: 'ok', evidence });
export const skipped = (evidence: string): Finding => ({ verdict: 'skipped', evidence });
export const warn = (evidence: string, next: string): Finding => ({
  ...{ verdict: 'warn', evidence, next },
});
export const fail = (evidence: string, next: string): Finding => ({
  ...{ verdict: 'fail', evidence, next },
});

/** Runs checks one after another: what one uses must not disturb what the next measures. */
export async function runChecks(
  checks: readonly Check[],
  onResult: (result: CheckResult) => void = () => {},
): Promise<readonly CheckResult[]> {
  const results: CheckResult[] = [];
  for (const { id, title, run } of checks) {
    const result = { id, title, findings: await findingsOf(run) };
    results.push(result);
    onResult(result);
  }
  return results;
}

/** A check that breaks is a finding of its own: the others go on. */
async function findingsOf(run: Check['run']): Promise<readonly Finding[]> {
  try {
    return await run();
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    return [fail(`the check itself broke: ${what}`, 'Report this with the output of --json')];
  }
}

export const hasFailed = (results: readonly CheckResult[]): boolean =>
  results.some(({ findings }) => findings.some(({ verdict }) => verdict === 'fail'));
