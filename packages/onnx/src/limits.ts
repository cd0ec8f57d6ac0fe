/** What a foreign model may make us hold; checked before memory is taken (decision 5). */
export const MODEL_LIMITS = {
  /** Bytes of the file. */
  bytesMax: 512 * 1024 * 1024,
  /** Messages, fields and packed integers of the file: each becomes an object when it is read. */
  objectsMax: 8 * 1024 * 1024,
  /** Graphs inside nodes inside graphs. */
  depthMax: 4,
  /** Nodes of the file, and of a graph built from it. */
  nodesMax: 20_000,
  /** Initializers, inputs and outputs of the file. */
  valuesMax: 20_000,
  /** Inputs or outputs of one node, attributes of one node. */
  aritiesMax: 256,
  /** Dimensions of one tensor. */
  rankMax: 8,
  /** Elements of one tensor, stored or computed. */
  elementsMax: 64 * 1024 * 1024,
  /** Elements of all weights that the file describes without holding them. */
  describedElementsMax: 128 * 1024 * 1024,
  /** Elements of all tensors computed in one run, together. */
  totalElementsMax: 1024 * 1024 * 1024,
  /** Steps of a recurrent operator: each becomes a few dozen nodes. */
  recurrentStepsMax: 512,
  /** Cells of a pooling window whose gradient is written cell by cell. */
  poolCellsMax: 1024,
  /** Elements up to which a constant is folded. */
  foldElementsMax: 64 * 1024,
  /** Elements of all constants folded in one graph: a node of 30 bytes may make 64 Ki of them. */
  foldTotalMax: 4 * 1024 * 1024,
} as const;
