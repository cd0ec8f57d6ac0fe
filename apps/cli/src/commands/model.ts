import { type Command, InvalidArgumentError } from 'commander';
import { EXIT } from '../failures.ts';
import { readInput, writeOutput } from '../files.ts';
import { addCommand, addDaemonCommand, type DaemonOptions, type JsonOption } from '../options.ts';
import {
  coloured,
  decimal,
  note,
  percent,
  plural,
  print,
  printJson,
  printTable,
} from '../output.ts';
import { ProgressLine } from '../progress.ts';
import type { Column } from '../table.ts';
import type { MembershipFinding, VerifiedSigner } from '../verify-members.ts';
import type { Verification, VerifiedRound } from '../verify-model.ts';
import { registerDiff } from './model-diff.ts';
import { registerEval } from './model-eval.ts';
import { registerExport } from './model-export.ts';
import { registerServe } from './model-serve.ts';

export function registerModel(program: Command): void {
  const model = program.command('model').description('the result of a job');
  registerPull(model);
  registerVerify(model);
  registerEval(model);
  registerExport(model);
  registerDiff(model);
  registerServe(model);
}

const proofBeside = (model: string): string => `${model}.proof`;

interface PullCommand extends DaemonOptions {
  readonly output: string;
  readonly personal: boolean;
}

function registerPull(model: Command): void {
  addDaemonCommand(model, {
    usage: 'pull <job>',
    summary: 'write the newest global model, and beside it OUT.proof that tells where it is from',
    examples: [
      'model pull mnist-mlp -o model.onnx',
      'model pull mnist-mlp --personal -o mine.onnx',
    ],
  })
    .requiredOption('-o, --output <file>', 'the ONNX file to write')
    .option('--personal', "with this peer's own weights, where the job has personal ones", false)
    .action(async (job: string, options: PullCommand) => {
      const { clientOf } = await import('../client.ts');
      const { output, personal } = options;
      const line = new ProgressLine(`pulling ${job}`);
      const pulled = await clientOf(options)
        .pull(job, { personal }, (done, total) => line.update(done, total))
        .finally(() => line.end());
      const bytes = Buffer.from(pulled.model, 'base64');
      await writeOutput(output, bytes);
      await writeOutput(proofBeside(output), Buffer.from(pulled.proof, 'base64'));
      const { round } = pulled;
      if (options.json) {
        return printJson({ round, model: output, proof: proofBeside(output), bytes: bytes.length });
      }
      print(`${output}: ${bytes.length} bytes after round ${round}`);
      note(`Check it with \`starling model verify ${output}\``);
    });
}

interface VerifyCommand extends JsonOption {
  readonly proof?: string;
  readonly job?: string;
  readonly swarm?: string;
}

function registerVerify(model: Command): void {
  addCommand(model, {
    usage: 'verify <file>',
    summary: 'check offline that a quorum certified every round that led to these weights',
    examples: [
      'model verify model.onnx',
      'model verify model.onnx --proof other.proof --job 3f9a',
      'model verify model.onnx --swarm 91911bae84317a75…',
    ],
  })
    .option('--proof <file>', 'the proof (FILE.proof)')
    .option('--job <id>', 'also check that it is this job; an id, or the beginning of one')
    .option(
      '--swarm <id>',
      'also check that all who signed were members of this private swarm, by its id as ' +
        '`starling swarm show` has it, or by its descriptor in hex',
    )
    .action(async (file: string, options: VerifyCommand) => {
      const bytes = await readInput('model', file);
      const proof = await readInput('proof', options.proof ?? proofBeside(file));
      const { verifyModel } = await import('../verify-model.ts');
      const swarm = await swarmOf(options.swarm);
      const verification = expectJob(verifyModel(bytes, proof, swarm), options.job);
      if (options.json) printJson(toJson(verification));
      else show(file, verification);
      if (!verification.ok) process.exitCode = EXIT.failure;
    });
}

async function swarmOf(given: string | undefined) {
  if (given === undefined) return undefined;
  const { swarmIdFrom } = await import('../verify-members.ts');
  const swarm = swarmIdFrom(given);
  if (swarm !== undefined) return swarm;
  throw new InvalidArgumentError('--swarm: expected the 64 hex digits of a swarm’s id');
}

/** A proof is sound for any job; only the user can know which one was meant. */
function expectJob(verification: Verification, wanted: string | undefined): Verification {
  const { ok, job } = verification;
  if (!ok || wanted === undefined || job?.id.startsWith(wanted)) return verification;
  return { ...verification, ok: false, fault: `it is the model of job ${job?.id}` };
}

const toJson = ({ ok, fault, job, rounds, members }: Verification) => ({
  ok,
  ...(fault !== undefined && { error: fault }),
  job: job?.id ?? null,
  name: job?.manifest.name ?? null,
  launcher: job?.launcher ?? null,
  rounds,
  swarm: members?.swarm ?? null,
  /** Null when it was not asked whether they are members. */
  signers: members?.signers ?? null,
});

const COLUMNS: readonly Column<VerifiedRound>[] = [
  { title: 'ROUND', value: ({ round }) => String(round), align: 'right' },
  { title: 'PEERS', value: ({ participants }) => String(participants), align: 'right' },
  { title: 'SURVIVORS', value: ({ survivors }) => String(survivors), align: 'right' },
  { title: 'SIGNATURES', value: ({ signatures }) => String(signatures), align: 'right' },
  { title: 'LOSS BEFORE', value: ({ loss }) => decimal(loss), align: 'right' },
  { title: 'ACCURACY BEFORE', value: ({ accuracy }) => percent(accuracy), align: 'right' },
  { title: 'STANDS', value: ({ settled }) => (settled ? 'settled' : 'provisional') },
  { title: 'STATE', value: ({ stateHash }) => stateHash, flexible: true },
];

const SIGNERS: readonly Column<VerifiedSigner>[] = [
  { title: 'SIGNER', value: ({ peer }) => peer },
  { title: 'ROLE', value: ({ role }) => role },
  { title: 'SIGNED', value: ({ rounds }) => String(rounds), align: 'right' },
  { title: 'MEMBER FROM', value: ({ from }) => from ?? 'the start' },
  { title: 'UNTIL', value: ({ until }) => until ?? 'always' },
  { title: 'REVOKED', value: ({ revoked }) => revoked ?? '' },
];

/** What is known of who signed: never more than was checked. */
function showMembers({ swarm, name, keys, signers }: MembershipFinding): void {
  const signed = plural(keys, 'key');
  if (signers === undefined) {
    const next =
      swarm === null
        ? 'the proof has no credentials that could tell'
        : `the proof has credentials of the swarm ${name}: check them with --swarm ID, where ID ` +
          `is what somebody you trust calls its id, if that is ${swarm}`;
    note(`signed by ${signed}; who these are was not checked: ${next}`);
    return;
  }
  printTable(SIGNERS, signers);
  print(`all ${signed} were made members of ${name} that may train, by its authority`);
  note('no certificate has a time: whether a membership ran at the time of a round is not told');
}

function show(file: string, verification: Verification): void {
  const { ok, fault, job, rounds, members } = verification;
  if (job !== undefined) {
    print(`job       ${job.id} (${job.manifest.name})`);
    print(`launcher  ${job.launcher}`);
  }
  if (rounds.length > 0) printTable(COLUMNS, rounds);
  if (members !== undefined && rounds.length > 0) showMembers(members);
  if (ok)
    print(coloured('green', `${file} holds the certified weights of ${rounds.length} rounds`));
  else note(`starling: ${file} is not verified: ${fault}`);
}
