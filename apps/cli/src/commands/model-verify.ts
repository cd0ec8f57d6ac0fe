import type { CardVerification, ParentFiles, Verification } from '@starling/models';
import { type Command, InvalidArgumentError } from 'commander';
import { EXIT } from '../failures.ts';
import { inputExists, readIfThere, readInput } from '../files.ts';
import { addCommand, type JsonOption } from '../options.ts';
import { printJson } from '../output.ts';
import {
  cardVerificationJson,
  showCardVerification,
  showVerification,
  verificationJson,
} from '../verification-view.ts';

export const proofBeside = (model: string): string => `${model}.proof`;
export const cardBeside = (model: string): string => `${model}.card`;

export const SWARM_TEXT =
  'also check that all who signed were members of this private swarm, by its id as ' +
  '`starling swarm show` has it, or by its descriptor in hex';

interface VerifyCommand extends JsonOption {
  readonly proof?: string;
  readonly job?: string;
  readonly swarm?: string;
  readonly card?: string;
  readonly parent?: readonly string[];
}

export function registerVerify(model: Command): void {
  addCommand(model, {
    usage: 'verify <file>',
    summary: 'check offline where a model comes from: every round’s quorum, and its card',
    examples: [
      'model verify model.onnx',
      'model verify model.onnx --proof other.proof --job 3f9a',
      'model verify model.onnx --card model.onnx.card --parent base.onnx.card',
      'model verify model.onnx --swarm 91911bae84317a75…',
    ],
  })
    .option('--proof <file>', 'the proof (FILE.proof)')
    .option('--card <file>', 'the signed card of a published model (FILE.card, where it is)')
    .option('--parent <file...>', 'signed cards of its parents, their models beside them')
    .option('--job <id>', 'also check that it is this job; an id, or the beginning of one')
    .option('--swarm <id>', SWARM_TEXT)
    .action(async (file: string, options: VerifyCommand) => {
      const besides = cardBeside(file);
      const card = options.card ?? ((await inputExists('card', besides)) ? besides : undefined);
      const ok = await (card === undefined
        ? verifyAlone(file, options)
        : verifyBy(card, file, options));
      if (!ok) process.exitCode = EXIT.failure;
    });
}

async function verifyAlone(file: string, options: VerifyCommand): Promise<boolean> {
  if (options.parent !== undefined) {
    throw new InvalidArgumentError('--parent: parents stand in a card; name it with --card');
  }
  const bytes = await readInput('model', file);
  const proof = await readInput('proof', options.proof ?? proofBeside(file));
  const { verifyModel } = await import('@starling/models');
  const swarm = await swarmOf(options.swarm);
  const verification = expectJob(verifyModel(bytes, proof, swarm), options.job);
  if (options.json) printJson(verificationJson(verification));
  else showVerification(file, verification);
  return verification.ok;
}

async function verifyBy(card: string, file: string, options: VerifyCommand): Promise<boolean> {
  const { verifyCard } = await import('@starling/models');
  const besides = proofBeside(file);
  const { proof } = options;
  const files = {
    ...{ card: await readInput('card', card), model: await readInput('model', file) },
    proof: await (proof === undefined ? readIfThere('proof', besides) : readInput('proof', proof)),
    parents: await Promise.all((options.parent ?? []).map(readParent)),
  };
  const found = verifyCard(files, { swarm: await swarmOf(options.swarm) });
  const verification = ofJob(found, options.job);
  if (options.json) printJson(cardVerificationJson(verification));
  else showCardVerification(file, verification);
  return verification.ok;
}

/** A parent's card, and its model where `model.onnx` lies beside `model.onnx.card`. */
async function readParent(card: string): Promise<ParentFiles> {
  const model = card.replace(/\.card$/, '');
  return {
    card: await readInput('parent', card),
    model: model === card ? undefined : await readIfThere('parent', model),
  };
}

function ofJob(verification: CardVerification, wanted: string | undefined): CardVerification {
  const job = verification.card?.card.lineage?.job;
  if (!verification.ok || wanted === undefined || job?.startsWith(wanted)) return verification;
  const fault = job === undefined ? 'its card names no job' : `it is the model of job ${job}`;
  return { ...verification, ok: false, fault };
}

export async function swarmOf(given: string | undefined) {
  if (given === undefined) return undefined;
  const { swarmIdFrom } = await import('@starling/models');
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
