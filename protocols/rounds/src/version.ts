/** Version of this protocol; it stands in every label and in the protocol ids. */
export const ROUNDS_VERSION = 3;
/** Prefix of every domain-separation label of this protocol. */
export const ROUNDS_LABEL = `starling/rounds/${ROUNDS_VERSION}`;
