/** Published models: who says what of them, where they come from, and how they are found. */

export { type BookParts, CardBook } from './book.ts';
export { BOOK_LIMITS, type BookLimits } from './book-limits.ts';
export {
  type CardCheck,
  type CardFiles,
  type CardVerification,
  CHECK_NAMES,
  type ParentFiles,
  type VerifyOptions,
} from './card-check.ts';
export { cardNamed } from './card-name.ts';
export type { HeldCard, Taken } from './card-shelf.ts';
export { CERTIFIED_NAMES, certifiedMetrics, lineageOf, privacyOf } from './certified.ts';
export { type ChainFault, chainFault } from './chain-fault.ts';
export { type Credit, creditsOf, type JobCredits } from './credits.ts';
export { type ModelValues, valuesOf, valueText } from './model-values.ts';
export { openCard } from './open-card.ts';
export { type OpenProof, openProof } from './open-proof.ts';
export { type Found, isDeprecated, type Reason, searchCards, searchInTurns } from './search.ts';
export { ModelService } from './service.ts';
export type {
  Asked,
  CardDraft,
  FetchedModel,
  ModelExchange,
  ModelParts,
  PublishedFiles,
  SearchOptions,
  SearchOutcome,
} from './service-parts.ts';
export { verifyCard } from './verify-card.ts';
export {
  type MembershipFinding,
  swarmIdFrom,
  type VerifiedSigner,
} from './verify-members.ts';
export { type Verification, type VerifiedRound, verifyModel } from './verify-model.ts';
