/** The books of a swarm: who is a member, who is no more, and how one becomes one. */
export { Books, type Standing, type Taken } from './books.ts';
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
export { decodeRecord, encodeRecord, type SwarmRecord } from './record.ts';
export { type Colleagues, type RedeemRequest, redeem } from './redeem.ts';
