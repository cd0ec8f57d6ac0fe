import { reportFailure } from './failures.ts';
import { createProgram } from './program.ts';

/** Entry of the command line: `bin/starling.js` loads its bundle. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader of a pipe has seen enough.
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

try {
  await createProgram().parseAsync();
} catch (error) {
  process.exitCode = reportFailure(error, process.argv.includes('--json'));
}
