import type { PeerId } from '@starling/core';
import type { Members } from '@starling/membership';
import { MemoryJournal } from '@starling/store';
import type { SwarmOptions, SwarmParts } from '@starling/swarm';
import { NOW, type TestSwarm } from '../../packages/membership/src/testing/swarm-of.ts';
import { type TestNode, testNode } from './swarms.ts';

export interface PrivateNode extends TestNode {
  readonly members: Members;
  readonly peer: PeerId;
  readonly journal: MemoryJournal;
}

export interface Enter {
  /** Wall clock, in seconds since 1970. */
  readonly now?: () => number;
  readonly journal?: MemoryJournal;
  /** Without a credential. */
  readonly stranger?: boolean;
  readonly options?: Partial<SwarmOptions>;
  readonly parts?: Partial<SwarmParts>;
}

/** A node of a test swarm on loopback; `peer` indexes the swarm's keys. */
export async function privateNode(
  swarm: TestSwarm,
  peer: number,
  { now = () => NOW, journal = new MemoryJournal(), stranger = false, ...more }: Enter = {},
): Promise<PrivateNode> {
  const { options, parts } = more;
  const voters = options?.vouching?.voters;
  const members = await swarm.open(peer, journal, { now, stranger, voters });
  const seed = new Uint8Array(32).fill(swarm.seeds[peer]!);
  const node = await testNode({ seed, network: members.network, members, ...options }, parts);
  return { ...node, members, peer: members.self, journal };
}
