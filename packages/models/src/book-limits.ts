/** What one peer keeps of cards and statements; its own come on top and never go. */
export interface BookLimits {
  readonly cardsMax: number;
  /** Of all signed cards together. */
  readonly cardBytesMax: number;
  readonly cardsPerPublisherMax: number;
  /** Vouches about one card. */
  readonly vouchesPerCardMax: number;
  /** Statements of one signer about all cards. */
  readonly statementsPerSignerMax: number;
}

export const BOOK_LIMITS: BookLimits = {
  cardsMax: 4_096,
  cardBytesMax: 32 * 1024 * 1024,
  cardsPerPublisherMax: 256,
  vouchesPerCardMax: 64,
  statementsPerSignerMax: 1_024,
};
