import {
  type Codec,
  type Decoded,
  DecodeError,
  f64,
  mapped,
  struct,
  text,
  u32,
} from '@starling/core';
import { hashCodec } from '@starling/crypto';
import { MODELS_LIMITS } from './limits.ts';

/** `inner` of which only what has no `fault` is read; writing such a value is our own bug. */
export const checked = <T>(inner: Codec<T>, fault: (value: T) => string | undefined): Codec<T> =>
  mapped<T, T>(
    inner,
    (value, field) => {
      const found = fault(value);
      if (found !== undefined) throw new DecodeError(field, found);
      return value;
    },
    (value) => value,
  );

/**
 * Characters that would move a terminal's cursor, or turn the order of what follows round: control
 * characters, line and paragraph separators, and the marks of bidirectional text. Half a surrogate
 * pair has no UTF-8.
 */
const UNSEEN = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;
/** Whether `value` may stand in a card, or in a statement, as one line. */
export const isPlainLine = (value: string): boolean => !UNSEEN.test(value);
/** Whether `value` may stand there as several lines. */
export const isPlainText = (value: string): boolean => isPlainLine(value.replaceAll('\n', ''));
const unseen = (isPlain: boolean): string | undefined =>
  isPlain ? undefined : 'has a control character';

/** One line of text that may be shown to people as it is. */
export const lineText = (max: number): Codec<string> =>
  checked(text(max), (value) => unseen(isPlainLine(value)));

/** Text of several lines, with nothing else but `\n` between them. */
export const linesText = (max: number): Codec<string> =>
  checked(text(max), (value) => unseen(isPlainText(value)));

/** Names of cards and tags: small letters, digits and `.`, `_`, `-` after the first of them. */
const WORD = /^[a-z0-9][a-z0-9._-]*$/;
export const isModelName = (name: string): boolean =>
  WORD.test(name) && name.length <= MODELS_LIMITS.nameCharsMax;
export const isTag = (tag: string): boolean =>
  WORD.test(tag) && tag.length <= MODELS_LIMITS.tagCharsMax;

export const wordText = (max: number): Codec<string> =>
  checked(text(max), (value) =>
    WORD.test(value) ? undefined : 'is not small letters, digits, dots, hyphens and underscores',
  );

export const isDistinct = (values: readonly string[]): boolean =>
  new Set(values).size === values.length;

/** What was measured: which number, its value, and on what data, in words. */
export const metricFields = {
  name: wordText(MODELS_LIMITS.metricNameCharsMax),
  value: f64,
  on: lineText(MODELS_LIMITS.metricOnCharsMax),
};
export const metricCodec = struct(metricFields);
export type Metric = Decoded<typeof metricCodec>;

/** Bytes by hash, with their number, so that whoever asks for them knows what it is in for. */
export const sizedCodec = <H extends string>() => struct({ hash: hashCodec<H>(), bytes: u32() });
