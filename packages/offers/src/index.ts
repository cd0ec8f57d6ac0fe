export { type AcquittalParts, Acquittals } from './acquittals.ts';
export { type CardShelf, type DeskParts, OfferDesk, type OpenOffer, type Terms } from './desk.ts';
export { ACCOUNTS, type IouParts, IouSettlement } from './iou-settlement.ts';
export { type Entry, Ledger, type Posting } from './ledger.ts';
export {
  freeSettlement,
  type Order,
  type PaymentCheck,
  referenceSettlement,
  type Settlement,
  settlementBy,
} from './settlement.ts';
export { Vault } from './vault.ts';
