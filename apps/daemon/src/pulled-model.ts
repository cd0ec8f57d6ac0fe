import { encodeCanonical, type JobId, type PeerId } from '@starling/core';
import { decodeState } from '@starling/federation';
import type { StarlingNode } from '@starling/node';
import {
  type Manifest,
  type MembershipProof,
  type Proof,
  proofCodec,
} from '@starling/protocol-rounds';
import { applyVector } from '@starling/trainer';

export interface PullParts {
  readonly node: Pick<StarlingNode, 'model' | 'thanks'>;
  /** What tells outsiders who these peers are. */
  readonly proofOf: (peers: Iterable<PeerId>) => MembershipProof | null;
}

/** What a model and its proof are made of; plain data, so that a thread can make them. */
export interface ModelParts {
  /** The ONNX file as launched. */
  readonly launched: Uint8Array;
  readonly state: Uint8Array;
  readonly manifest: Manifest;
  readonly chain: Omit<Proof, 'moments'>;
}

/** A model's file, and what proves where it comes from. */
export interface PulledModel {
  readonly round: number;
  readonly model: Uint8Array;
  readonly proof: Uint8Array;
}

/**
 * Collects a certified state with the chain that leads to it from the manifest, and who is in its
 * rosters.
 * @param wanted round; the newest unless told
 * @throws ProtocolError `not-ready` where nobody reachable has it
 */
export async function gatherModel(
  { node, proofOf }: PullParts,
  id: JobId,
  wanted?: number,
): Promise<ModelParts> {
  const { model: launched, state, certificates, signed, report } = await node.model(id, wanted);
  const { manifest, launcher } = report.job;
  const thanks = await node.thanks(id, certificates);
  const rosters = certificates.flatMap(({ statement }) => statement.roster);
  const membership = proofOf([launcher, ...rosters]);
  return {
    launched,
    state,
    manifest,
    chain: { manifest: signed, certificates, thanks, membership },
  };
}

/**
 * Makes the files. It takes a while with a large model.
 * @param own a peer's own weights, where the job has personal ones
 */
export function assembleModel(
  { launched, state, manifest, chain }: ModelParts,
  own?: Float32Array,
): PulledModel {
  const { round, model: vector, moments } = decodeState(state);
  const proof = encodeCanonical(proofCodec, {
    ...chain,
    moments: moments.map((each) => new Uint8Array(each.buffer, each.byteOffset, each.byteLength)),
  });
  // Not a byte may differ from what was launched: its hash stands in the manifest.
  const isLaunched = round === 0 && own === undefined;
  const model = isLaunched ? launched : applyVector(launched, vector, manifest.training, own);
  return { round, model, proof };
}
