import { errorMessage, ProtocolError } from '@starling/core';
import { hashHex } from '@starling/crypto';
import type { Card } from '@starling/protocol-models';
import { verifyAncestry } from './ancestry.ts';
import {
  type CardCheck,
  type CardFiles,
  type CardVerification,
  CHECK_NAMES,
  type Finding,
  holds,
  notChecked,
  notClaimed,
  type VerifyOptions,
} from './card-check.ts';
import { privacyOf } from './certified.ts';
import { lineageFault, metricsFault, privacyFault } from './lineage-faults.ts';
import { valuesOf, valuesText } from './model-values.ts';
import { openCard } from './open-card.ts';
import { type OpenProof, openProof } from './open-proof.ts';
import { type Verification, verifyModel } from './verify-model.ts';
import { quote } from './words.ts';

/**
 * Checks a card offline, link by link: whose it is, that the file is the one it names, that the
 * proof leads to these very weights, that certified numbers stand in the certificates, and that
 * the parents are what it was made from. It never asks anybody.
 */
export function verifyCard(files: CardFiles, options: VerifyOptions = {}): CardVerification {
  const checks: CardCheck[] = [];
  let chain: Verification | undefined;
  const read = openCard(files.card);
  if (typeof read === 'string') {
    return { ok: false, fault: read, card: undefined, checks, chain };
  }
  const steps: Readonly<Record<CardCheck['link'], () => Finding>> = {
    signature: () => holds(`by ${read.publisher}`),
    model: () => modelFinding(read.card, files.model),
    values: () => valuesFinding(read.card, files.model),
    lineage: () => {
      const found = lineageFinding(read.card, files, options);
      chain = found.chain;
      return found.finding;
    },
    metrics: () => metricsFinding(read.card, files.proof),
    privacy: () => privacyFinding(read.card, files),
    ...verifyAncestry(read.card, files),
  };
  for (const link of CHECK_NAMES) {
    const finding = steps[link]();
    if (typeof finding === 'string') {
      return { ok: false, fault: finding, card: read, checks, chain };
    }
    checks.push({ link, ...finding });
  }
  return { ok: true, fault: undefined, card: read, checks, chain };
}

function modelFinding({ model }: Card, file: Uint8Array): Finding {
  const hash = hashHex(file);
  if (hash === model.hash) return holds(`${file.length} bytes, SHA-256 ${quote(hash)}`);
  return `the model: the file's SHA-256 is ${quote(hash)}, the card says ${quote(model.hash)}`;
}

function valuesFinding(card: Card, file: Uint8Array): Finding {
  let found: ReturnType<typeof valuesOf>;
  try {
    found = valuesOf(file);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return notChecked(`the model cannot be read here (${error.message})`);
  }
  for (const side of ['inputs', 'outputs'] as const) {
    const [said, has] = [valuesText(card[side]), valuesText(found[side])];
    if (said !== has) return `the ${side}: the model has "${has}", the card says "${said}"`;
  }
  return holds('inputs and outputs are those of the model');
}

function lineageFinding(
  { lineage, proof }: Card,
  files: CardFiles,
  { swarm }: VerifyOptions,
): { readonly finding: Finding; readonly chain: Verification | undefined } {
  const without = (finding: Finding) => ({ finding, chain: undefined });
  if (lineage === null || proof === null) return without(notClaimed('the card has none'));
  if (files.proof === undefined)
    return without('the proof: the card names one, and it is not here');
  const hash = hashHex(files.proof);
  if (hash !== proof.hash) {
    const said = `the file's SHA-256 is ${quote(hash)}, the card says ${quote(proof.hash)}`;
    return without(`the proof: ${said}`);
  }
  const chain = verifyModel(files.model, files.proof, swarm);
  if (chain.fault !== undefined) return { finding: chain.fault, chain };
  const { proof: opened, job } = reopened(files.proof);
  const fault = lineageFault(lineage, opened.certificates, job);
  const rounds = `${chain.rounds.length} certified rounds of job ${quote(job.id)}`;
  return { finding: fault ?? holds(rounds), chain };
}

/** Of a proof that was opened before. */
function reopened(bytes: Uint8Array): OpenProof {
  const opened = openProof(bytes);
  if ('fault' in opened) throw new ProtocolError('proof', opened.fault);
  return opened;
}

function metricsFinding({ metrics }: Card, proof: Uint8Array | undefined): Finding {
  const certified = metrics.filter((metric) => metric.certified !== null);
  const claimed = metrics.length - certified.length;
  const word = claimed === 0 ? '' : `; ${claimed} more are the publisher's word`;
  if (certified.length === 0 || proof === undefined) return notClaimed(`none is certified${word}`);
  const { proof: opened, job } = reopened(proof);
  const fault = metricsFault(certified, opened.certificates, job.manifest);
  return fault ?? holds(`${certified.length} stand in certificates${word}`);
}

function privacyFinding({ privacy, lineage }: Card, { model, proof }: CardFiles): Finding {
  if (privacy === null) return notClaimed('the card promises none');
  if (lineage === null || proof === undefined) return notChecked("the publisher's word");
  const { job } = reopened(proof);
  try {
    return privacyFault(privacy, job, privacyOf(job, model));
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return `the privacy: ${errorMessage(error)}`;
  }
}
