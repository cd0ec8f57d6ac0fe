/** Sizes of this protocol. A card with all of them at once still fits a control message. */
export const MODELS_LIMITS = {
  nameCharsMax: 64,
  taskCharsMax: 64,
  summaryCharsMax: 512,
  tagsMax: 16,
  tagCharsMax: 32,
  /** Inputs of a model, and outputs. */
  valuesMax: 16,
  valueNameCharsMax: 96,
  rankMax: 8,
  parentsMax: 16,
  dataCharsMax: 2_048,
  metricsMax: 16,
  metricNameCharsMax: 48,
  metricOnCharsMax: 128,
  licenceCharsMax: 128,
  mechanismCharsMax: 64,
  /** Of a note in a vouch, and of a reason. */
  noteCharsMax: 512,
  /** Bytes of a card inside its publisher's signature. */
  cardBytesMax: 48 * 1024,
  signedCardBytesMax: 49 * 1024,
  statementBytesMax: 4 * 1024,
  /** Of the name of what a price counts. */
  unitCharsMax: 16,
  /** Tokens that one statement revokes. */
  revokedMax: 128,
  tokenBytesMax: 512,
  /** Of an IOU or an acquittal, with its signature. */
  paymentBytesMax: 1_024,
  paymentNoteCharsMax: 128,
  offersMessageBytesMax: 4 * 1024,
  /** Characters of what is searched for. */
  queryCharsMax: 256,
  /** Cards that an answer to a search names. */
  foundMax: 64,
  /** Cards that an answer to `newest` names. */
  newestMax: 1_024,
  /** Cards that are asked for, or whose statements are, at once. */
  idsMax: 64,
  /** Statements in one answer. */
  statementsMax: 1_024,
  requestBytesMax: 8 * 1024,
  answerBytesMax: 4 * 1024 * 1024,
} as const;
