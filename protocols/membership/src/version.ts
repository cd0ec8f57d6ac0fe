/** The one place of this protocol's version; it stands in every label and in the protocol id. */
export const MEMBERSHIP_VERSION = 1;
/** Prefix of every domain-separation label of this protocol. */
export const MEMBERSHIP_LABEL = `starling/membership/${MEMBERSHIP_VERSION}`;
/** The join protocol, the only one that a peer may speak before it has shown a credential. */
export const MEMBERSHIP_PROTOCOL = `/starling/membership/${MEMBERSHIP_VERSION}`;
