/**
 * Asks the registry for known faults of the packages in the lock file: `npm run audit:packages`.
 * Ends with 1 when there are some in what is shipped, with 0 when there are none, and with 2, and
 * says so, when nobody answered: that is no finding, and no all-clear either.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

interface Audit {
  readonly error?: { readonly summary?: string; readonly code?: string };
  readonly message?: string;
  readonly vulnerabilities?: Readonly<
    Record<string, { readonly severity: string; readonly range: string }>
  >;
}

function audit(): Audit {
  const cwd = fileURLToPath(new URL('../', import.meta.url));
  const args = ['audit', '--json', '--omit=dev'];
  const { stdout, stderr } = spawnSync('npm', args, { cwd, encoding: 'utf8', timeout: 120_000 });
  try {
    return JSON.parse(stdout) as Audit;
  } catch {
    return { message: (stderr ?? '').trim().split('\n').at(-1) || 'npm said nothing' };
  }
}

const { error, message, vulnerabilities } = audit();
if (vulnerabilities === undefined) {
  const why = message || error?.summary || error?.code || 'no answer';
  process.stdout.write(`The registry could not be asked: ${why}. Nothing is known of faults.\n`);
  process.exitCode = 2;
} else {
  const found = Object.entries(vulnerabilities);
  for (const [name, { severity, range }] of found) {
    process.stdout.write(`${severity.padEnd(10)} ${name} ${range}\n`);
  }
  process.stdout.write(`${found.length} packages with known faults.\n`);
  process.exitCode = found.length === 0 ? 0 : 1;
}
