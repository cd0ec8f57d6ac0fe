import { decodeCanonical, ProtocolError } from '@starling/core';
import {
  type Job,
  PROOF_BYTES_MAX,
  type Proof,
  proofCodec,
  readJob,
} from '@starling/protocol-rounds';

export interface OpenProof {
  readonly proof: Proof;
  /** That its manifest is of; the signature holds, the chain is not looked at. */
  readonly job: Job;
}

/** A proof and its job, or why there is none. */
export function openProof(bytes: Uint8Array): OpenProof | { readonly fault: string } {
  try {
    const proof = decodeCanonical(proofCodec, bytes, PROOF_BYTES_MAX);
    const job = readJob(proof.manifest);
    if (job === undefined) return { fault: "the manifest's signature is not its launcher's" };
    return { proof, job };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { fault: `the proof is malformed (${error.message})` };
  }
}
