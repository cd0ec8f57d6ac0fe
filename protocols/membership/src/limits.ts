/** What a stranger, or a member, may make us hold. Spec §2. */
export const MEMBERSHIP_LIMITS = {
  /** Keys of an authority. */
  adminsMax: 16,
  /** Signatures under one invite or credential. */
  signaturesMax: 16,
  /** Members holding delegated authority whose credentials another credential may carry. */
  delegationsMax: 4,
  addressesMax: 8,
  addressCharsMax: 256,
  reasonCharsMax: 200,
  detailCharsMax: 2_000,
  /** Encoded invite. */
  inviteBytesMax: 8 * 1024,
  /** Encoded credential, delegations included. */
  credentialBytesMax: 10 * 1024,
  /** Encoded revocation. */
  revocationBytesMax: 1024,
  /** Members, and revocations, that one peer keeps and one message carries. */
  membersMax: 2_048,
  revocationsMax: 4_096,
  /** Encoded vouch. */
  vouchBytesMax: 256,
  /** Peers whose vouches count to one owner. */
  votersMax: 16,
  /** Vouches by one signer, and about oneself, that one peer keeps. */
  vouchesEachMax: 256,
  /** Vouches that one message carries: of all voters, by oneself and about oneself. */
  vouchesMax: 18 * 256,
  /** One message of the join protocol, request or answer. */
  messageBytesMax: 4 * 1024 * 1024,
} as const;

/** Clocks of two peers may differ by this much (design decision 14a). */
export const TOLERANCE_SECONDS = 5 * 60;
