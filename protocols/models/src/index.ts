/**
 * The wire protocol by which models are published and found. `spec.md` is the text, `vectors/` are
 * its examples, good and bad.
 */
export * from './card.ts';
export {
  isModelName,
  isPlainLine,
  isPlainText,
  isTag,
  type Metric,
  metricCodec,
} from './common.ts';
export { MODELS_LIMITS } from './limits.ts';
export * from './messages.ts';
export * from './offers-messages.ts';
export * from './payment.ts';
export * from './statement.ts';
export * from './token.ts';
export * from './version.ts';
