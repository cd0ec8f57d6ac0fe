/** The books of a swarm: who is a member, who is no more, and how one becomes one. */
export { Books, type Standing } from './books.ts';
export {
  countersign,
  demandAuthority,
  issueInvite,
  missingSignatures,
  type NewInvite,
  type NewSwarm,
  newSwarm,
} from './issue.ts';
export {
  Members,
  type MembersParts,
  type MemberView,
  type News,
  type NewsListener,
} from './members.ts';
export { OwnerList, type OwnerListParts, type Vouching } from './owner-list.ts';
export { decodeRecord, encodeRecord, type SwarmRecord } from './record.ts';
export { type Colleagues, type RedeemRequest, redeem } from './redeem.ts';
export type { Taken } from './taken.ts';
export { Vouches, type VouchesParts } from './vouches.ts';
