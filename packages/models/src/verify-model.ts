import { initialVector, VectorSplit } from '@starling/autodiff';
import { type BlobHash, errorMessage, ProtocolError } from '@starling/core';
import { hashHex } from '@starling/crypto';
import { encodeState } from '@starling/federation';
import { readModel } from '@starling/onnx';
import type { SwarmId } from '@starling/protocol-membership';
import type { Job, Manifest, Proof } from '@starling/protocol-rounds';
import { type Chain, isSettled, namedMetricsOf, signersOf, survivorCount } from '@starling/rounds';
import { chainFault } from './chain-fault.ts';
import { openProof } from './open-proof.ts';
import { type MembershipFinding, unchecked, verifyMembers } from './verify-members.ts';

/** One certified round as `model verify` shows it. */
export interface VerifiedRound {
  readonly round: number;
  readonly participants: number;
  readonly survivors: number;
  readonly signatures: number;
  /** Of the global model before the round. */
  readonly loss: number | null;
  readonly accuracy: number | null;
  /** The job's own, of the same model. */
  readonly metrics: Readonly<Record<string, number | null>>;
  readonly stateHash: BlobHash;
  readonly settled: boolean;
}

export interface Verification {
  readonly ok: boolean;
  /** The first thing that does not hold; undefined when all does. */
  readonly fault: string | undefined;
  readonly job: Job | undefined;
  readonly rounds: readonly VerifiedRound[];
  /** Who signed, checked or not; undefined where nothing that was signed holds. */
  readonly members: MembershipFinding | undefined;
}

const failed = (fault: string, job?: Job, chain: Chain = []): Verification => ({
  ok: false,
  fault,
  job,
  rounds: roundsOf(chain, job?.manifest),
  members: undefined,
});

/**
 * Checks offline that a proof's manifest is signed, that a quorum signed every round since, and
 * that the last of them certifies the very weights in `model`; with `swarm` also that all signers
 * were made members of it. What stands around the weights, the graph, is not under any certificate,
 * nor are a peer's own weights.
 */
export function verifyModel(
  model: Uint8Array,
  proofBytes: Uint8Array,
  swarm?: SwarmId,
): Verification {
  const opened = openProof(proofBytes);
  if ('fault' in opened) return failed(opened.fault);
  const { proof, job } = opened;
  const chain = proof.certificates;
  const broken = chainFault(chain, job);
  if (broken !== undefined) return failed(broken.fault, job, broken.sound);
  const { membership } = proof;
  const members =
    swarm === undefined
      ? unchecked(chain, membership)
      : verifyMembers({ chain, job, membership, swarm });
  if ('fault' in members) return failed(members.fault, job, chain);
  const fault = weightsFault(model, job, proof);
  return { ok: fault === undefined, fault, job, rounds: roundsOf(chain, job?.manifest), members };
}

/** Why the weights inside `model` are not those that the chain ends in, or undefined. */
function weightsFault(model: Uint8Array, job: Job, proof: Proof): string | undefined {
  const last = proof.certificates.at(-1)?.statement;
  if (last === undefined) {
    const launched = hashHex(model) === job.manifest.model;
    return launched ? undefined : 'no round is certified, and this is not the launched model';
  }
  let state: Uint8Array;
  try {
    const { training } = job.manifest;
    const read = readModel(model);
    const split = new VectorSplit(read, training);
    const vector = split.shared(initialVector(read, training.frozen));
    const trainable = split.layout.parameters;
    if (proof.moments.some((moment) => moment.length !== 4 * trainable)) {
      return 'the proof is malformed (moments of another model)';
    }
    const moments = proof.moments.map((moment) => new Float32Array(moment.slice().buffer));
    state = encodeState({ round: last.round, model: vector, trainable, moments });
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return `the model cannot be read (${errorMessage(error)})`;
  }
  if (hashHex(state) === last.stateHash) return undefined;
  return `the weights in the model are not those certified in round ${last.round}`;
}

const roundsOf = (chain: Chain, manifest: Manifest | undefined): readonly VerifiedRound[] =>
  chain.map((certificate, i) => {
    const { statement } = certificate;
    const { lossSum, correct, examples } = statement.metrics;
    return {
      round: statement.round,
      participants: statement.roster.length,
      survivors: survivorCount(statement),
      signatures: signersOf(certificate).size,
      loss: examples === 0 ? null : lossSum / examples,
      accuracy: examples === 0 ? null : correct / examples,
      metrics: manifest === undefined ? {} : namedMetricsOf(statement, manifest),
      stateHash: statement.stateHash,
      settled: isSettled(chain, i),
    };
  });
