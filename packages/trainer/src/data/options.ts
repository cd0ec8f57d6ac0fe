import type { Augmentation } from '@starling/autodiff';
import { ConfigError } from '@starling/core';
import { type Normalisation, parseNormalisation } from './elements.ts';

/** Whole numbers as targets are classes up to here: each is counted. */
export const CLASSES_MAX = 100_000;

/** How a volunteer wants files to be read; what is absent is found out or left as it is. */
export interface DataOptions {
  /** Column or array of the target; several make a vector of numbers, none at all no target. */
  readonly label?: readonly string[];
  /** Columns or arrays of the input: names, or patterns with `*`. */
  readonly features?: readonly string[];
  /** Of one example. */
  readonly shape?: readonly number[];
  readonly normalise?: Normalisation;
  /** Their number, or their names in order; 0 for numbers as targets. */
  readonly classes?: number | readonly string[];
  readonly text?: TextUnit;
  /** Tokens of one example. */
  readonly sequence?: number;
}

/** What a text is cut into. */
export type TextUnit =
  | Exclude<ReadingUnit, { readonly kind: 'characters' }>
  /** Those of a file, in the order in which it has them, or those that the text itself has. */
  | { readonly kind: 'characters'; readonly alphabet?: string };

/** The same when the characters are known. */
export type ReadingUnit =
  | { readonly kind: 'bytes' }
  | { readonly kind: 'characters' }
  /** By a `tokenizer.json` as Hugging Face's libraries write it. */
  | { readonly kind: 'tokenizer'; readonly path: string };

/**
 * Reads what is to be changed at random: `flip`, `crop:4`, `noise:0.1`, with commas between.
 * @throws ConfigError naming what it takes
 */
export function parseAugmentation(text: string): Augmentation {
  const augment = { flip: false, crop: 0, noise: 0 };
  for (const part of names('augment', text)) {
    const [, word, value] = /^(flip|crop|noise)(?::([\d.e+-]+))?$/i.exec(part) ?? [];
    const number = value === undefined ? Number.NaN : Number(value);
    if (word === 'flip' && value === undefined) augment.flip = true;
    else if (word === 'crop' && Number.isInteger(number) && number > 0 && number <= CROP_MAX) {
      augment.crop = number;
    } else if (word === 'noise' && Number.isFinite(number) && number > 0) augment.noise = number;
    else {
      const hint = `Choose of flip, crop:PIXELS (1 to ${CROP_MAX}), noise:DEVIATION with commas`;
      throw new ConfigError('augment', `"${part}" is no augmentation`, hint);
    }
  }
  return augment;
}

/** The same as words of a command line. */
export interface DataWords {
  readonly label?: string | undefined;
  readonly features?: string | undefined;
  readonly shape?: string | undefined;
  readonly normalise?: string | undefined;
  readonly classes?: string | undefined;
  readonly text?: string | undefined;
  readonly sequence?: string | undefined;
}

const DIMENSIONS_MAX = 8;
const CROP_MAX = 64;
const SEQUENCE_MAX = 65_536;

/** @throws ConfigError naming the option, and what it takes */
export function parseDataOptions(words: DataWords): DataOptions {
  const { label, features, shape, normalise, classes, text, sequence } = words;
  return {
    ...(label !== undefined && { label: label === 'none' ? [] : names('label', label) }),
    ...(features !== undefined && { features: names('features', features) }),
    ...(shape !== undefined && { shape: parseShape(shape) }),
    ...(normalise !== undefined && { normalise: parseNormalisation(normalise) }),
    ...(classes !== undefined && { classes: parseClasses(classes) }),
    ...(text !== undefined && { text: parseUnit(text) }),
    ...(sequence !== undefined && { sequence: wholeNumber('sequence', sequence, SEQUENCE_MAX) }),
  };
}

function names(key: string, text: string): readonly string[] {
  const parts = text.split(',').map((part) => part.trim());
  if (parts.every((part) => part !== '')) return parts;
  throw new ConfigError(key, `"${text}" has an empty name`, 'Separate names by one comma');
}

function parseShape(text: string): readonly number[] {
  const dims = text.split(/[x,]/i).map(Number);
  const isGood = dims.every((dim) => Number.isSafeInteger(dim) && dim > 0);
  if (isGood && dims.length <= DIMENSIONS_MAX) return dims;
  const hint = `Write up to ${DIMENSIONS_MAX} whole numbers such as 28x28 or 3x32x32`;
  throw new ConfigError('shape', `"${text}" is no shape`, hint);
}

function parseClasses(text: string): number | readonly string[] {
  if (/^\d+$/.test(text)) {
    if (Number(text) <= CLASSES_MAX) return Number(text);
    const hint = `At most ${CLASSES_MAX}; 0 for numbers as targets`;
    throw new ConfigError('classes', `${text} are too many`, hint);
  }
  const parts = names('classes', text);
  if (parts.length > 1 && new Set(parts).size === parts.length) return parts;
  const hint = 'Give their number, or their names in order: cat,dog';
  throw new ConfigError('classes', `"${text}" names no two different classes`, hint);
}

function parseUnit(text: string): TextUnit {
  if (text === 'bytes') return { kind: 'bytes' };
  if (text === 'chars') return { kind: 'characters' };
  const alphabet = /^chars:(.+)$/.exec(text)?.[1];
  if (alphabet !== undefined) return { kind: 'characters', alphabet };
  if (text.endsWith('.json')) return { kind: 'tokenizer', path: text };
  const hint = 'Choose bytes, chars, chars:ALPHABET_FILE, or the path of a tokenizer.json';
  throw new ConfigError('text', `"${text}" is no way to cut a text`, hint);
}

function wholeNumber(key: string, text: string, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= most) return value;
  throw new ConfigError(key, `"${text}" is no whole number from 1 to ${most}`);
}
