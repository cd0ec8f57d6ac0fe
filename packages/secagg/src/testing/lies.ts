import type { MessageOf, SecaggMessage } from '@starling/protocol-secagg';
import type { CellOptions } from './cell.ts';

/** The same bytes but for the first. */
export const flipped = (bytes: Uint8Array): Uint8Array =>
  bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte));

/** Makes `liar` send something else for one kind of message; `undefined` is silence. */
export const lie =
  <K extends SecaggMessage['kind']>(
    liar: number,
    kind: K,
    change: (message: MessageOf<K>) => SecaggMessage | undefined,
  ): NonNullable<CellOptions['tamper']> =>
  (from, message) =>
    from === liar && message.kind === kind ? change(message as MessageOf<K>) : message;
