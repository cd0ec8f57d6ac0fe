/**
 * The one table of sizes that a peer may make us hold. Spec pages quote it; a change here is a
 * change of protocol.
 */
export const LIMITS = {
  /** Bytes of one control message, gossiped or sent (design decision 13). */
  controlBytesMax: 64 * 1024,
  /** Bytes of a request's or a response's body on a direct stream. */
  bodyBytesMax: 512 * 1024 * 1024,
  /** Bytes of one frame on a direct stream. */
  frameBytesMax: 1024 * 1024,
  /** Peers of one cell with a complete mask graph, hard cap. */
  cellPeersMax: 128,
  /** Members that a message of the aggregation can name. */
  rosterPeersMax: 1024,
  /** Holders of one member's shares; their coordinates are 1 … 254. */
  holdersMax: 254,
  /** Coordinates of a job's vector. */
  vectorLengthMax: 64 * 1024 * 1024,
  /** Chunks into which one vector is cut. */
  chunksMax: 1024,
  /** Nesting of a canonical value. */
  codecDepthMax: 12,
  /** Items (scalars and lists) of a canonical value. */
  codecItemsMax: 32 * 1024,
} as const;
