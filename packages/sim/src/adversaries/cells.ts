import { type Adversary, flipped, lying, resealed, rewriting } from './wire.ts';

/** Sees the others' reveals and withholds its own: the cells are cut without it. */
export const withheldReveal: Adversary = (wire) =>
  rewriting(wire, (envelope) => (envelope.body.kind === 'ack' ? [] : [envelope]));

/** Reveals something else than it committed to. */
export const wrongReveal: Adversary = (wire) =>
  rewriting(wire, (envelope) => {
    const { body } = envelope;
    if (body.kind !== 'ack') return [envelope];
    return [resealed(wire, envelope, { kind: 'ack', reveal: flipped(body.reveal) })];
  });

/** When it is the proposer it leaves all out whom it need not name, to choose the cells. */
export const choosesCells: Adversary = (wire) =>
  rewriting(wire, (envelope) => {
    const { body } = envelope;
    if (body.kind !== 'cells') return [envelope];
    const acked = body.acked.map((byte, i) => (i === 0 ? byte & 0b1111_1100 : byte));
    return [resealed(wire, envelope, { kind: 'cells', acked })];
  });

/** Says that its cell decided something else. */
export const wrongNomination: Adversary = lying('nominate', (message) => ({
  ...message,
  digest: flipped(message.digest),
}));

/** Says that its cell opened something else. */
export const wrongOpened: Adversary = lying('opened', (message) => ({
  ...message,
  digest: flipped(message.digest),
}));
