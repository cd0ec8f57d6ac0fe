import {
  bytes,
  type Codec,
  concatBytes,
  type Decoded,
  decodeCanonical,
  encodeCanonical,
  type PeerId,
  struct,
  u32,
  union,
  utf8,
} from '@starling/core';
import {
  hashCodec,
  hashHex,
  peerCodec,
  type SigningKey,
  signatureCodec,
  verify,
} from '@starling/crypto';
import { checked, lineText, wordText } from './common.ts';
import { MODELS_LIMITS as M } from './limits.ts';
import { OFFERS_LABEL } from './version.ts';

/** So much of a unit that buyer and seller give a meaning to; Starling has no currency. */
export const moneyFields = { amount: u32(), unit: wordText(M.unitCharsMax) };
export interface Money {
  readonly amount: number;
  readonly unit: string;
}

const debtFields = {
  from: peerCodec,
  to: peerCodec,
  ...moneyFields,
  /** Makes two of the same amount two; a repeated one counts once. */
  serial: bytes(16),
  /** Seconds since 1970, by its signer's clock; nothing depends on it. */
  at: u32(),
};

const debtFault = ({ from, to, amount }: { from: PeerId; to: PeerId; amount: number }) => {
  if (from === to) return 'it is owed to its signer';
  return amount > 0 ? undefined : 'it is of nothing';
};

/** "I owe you": signed by `from`, for what an offer asks. */
export const iouBodyCodec = checked(
  struct({ ...debtFields, /** Hash of the offer's statement. */ offer: hashCodec<string>() }),
  debtFault,
);
export type IouBody = Decoded<typeof iouBodyCodec>;

/** "You have paid": signed by `to`; takes so much off what `from` owes. */
export const acquittalBodyCodec = checked(
  struct({ ...debtFields, note: lineText(M.paymentNoteCharsMax) }),
  debtFault,
);
export type AcquittalBody = Decoded<typeof acquittalBodyCodec>;

const signedCodec = struct({ body: bytes(1, M.paymentBytesMax - 96), signature: signatureCodec });

interface Note {
  readonly bytes: Uint8Array;
  readonly hash: string;
}
export type Iou = IouBody & Note;
export type Acquittal = AcquittalBody & Note;

/** A kind of signed note, and who signs it. */
interface Form<B> {
  readonly codec: Codec<B>;
  readonly label: string;
  readonly signer: (body: B) => PeerId;
}
const IOU: Form<IouBody> = { codec: iouBodyCodec, label: 'iou', signer: ({ from }) => from };
const ACQUITTAL: Form<AcquittalBody> = {
  ...{ codec: acquittalBodyCodec, label: 'acquittal', signer: ({ to }) => to },
};

const signedBytes = (label: string, body: Uint8Array): Uint8Array =>
  concatBytes(utf8(`${OFFERS_LABEL}/${label}`), body);

function signNote<B>({ codec, label }: Form<B>, body: B, key: SigningKey): B & Note {
  const encoded = encodeCanonical(codec, body);
  const signature = key.sign(signedBytes(label, encoded));
  const signed = encodeCanonical(signedCodec, { body: encoded, signature });
  return { ...body, bytes: signed, hash: hashHex(signed) };
}

function readNote<B>(
  { codec, label, signer }: Form<B>,
  signed: Uint8Array,
): (B & Note) | undefined {
  const outer = decodeCanonical(signedCodec, signed, M.paymentBytesMax);
  const body = decodeCanonical(codec, outer.body, M.paymentBytesMax);
  const isSigned = verify(signer(body), signedBytes(label, outer.body), outer.signature);
  return isSigned ? { ...body, bytes: signed, hash: hashHex(signed) } : undefined;
}

/** @param key of `body.from` */
export const signIou = (body: IouBody, key: SigningKey): Iou => signNote(IOU, body, key);
/** @throws DecodeError on malformed bytes; undefined when the signature is wrong */
export const readIou = (signed: Uint8Array): Iou | undefined => readNote(IOU, signed);
/** @param key of `body.to` */
export const signAcquittal = (body: AcquittalBody, key: SigningKey): Acquittal =>
  signNote(ACQUITTAL, body, key);
/** @throws DecodeError on malformed bytes; undefined when the signature is wrong */
export const readAcquittal = (signed: Uint8Array): Acquittal | undefined =>
  readNote(ACQUITTAL, signed);

/** What a buyer sends along; what it is worth is between it and the seller. */
export const paymentCodec = union({
  /** For what costs nothing. */
  none: struct({}),
  iou: struct({ iou: bytes(1, M.paymentBytesMax) }),
  /** Something paid elsewhere: a receipt's number, a transaction. */
  reference: struct({ reference: lineText(M.paymentNoteCharsMax) }),
});
export type Payment = Decoded<typeof paymentCodec>;
