/** Version of this protocol; it stands in every label, in the topic and in the protocol id. */
export const MODELS_VERSION = 1;
/** Prefix of every domain-separation label of this protocol. */
export const MODELS_LABEL = `starling/models/${MODELS_VERSION}`;
/** Direct-stream protocol by which cards and statements are asked for. */
export const MODELS_PROTOCOL = `/starling/models/${MODELS_VERSION}`;
/** Gossip topic of cards and statements; one per swarm. */
export const modelsTopic = `starling/models/${MODELS_VERSION}`;

/** Direct-stream protocol of offers, tokens and keys, with a version of its own. */
export const OFFERS_VERSION = 1;
export const OFFERS_LABEL = `starling/offers/${OFFERS_VERSION}`;
export const OFFERS_PROTOCOL = `/starling/offers/${OFFERS_VERSION}`;
