import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { errorMessage } from '@starling/core';
import type { ReadingUnit } from './options.ts';
import { corrupt } from './source.ts';

/** Cuts text into tokens. */
export interface Tokens {
  /** Number of different tokens. */
  readonly count: number;
  /** @param where names the file in errors */
  cut(bytes: Uint8Array, where: string): Int32Array;
}

/**
 * @param alphabet the characters that are tokens, in order; for `characters` alone
 * @throws ProtocolError `dataset-corrupt` naming a tokenizer file that cannot be used
 */
export async function openTokens(unit: ReadingUnit, alphabet: readonly string[]): Promise<Tokens> {
  switch (unit.kind) {
    case 'bytes':
      return { count: 256, cut: (bytes) => Int32Array.from(bytes) };
    case 'characters':
      return characterTokens(alphabet);
    case 'tokenizer':
      return tokenizerTokens(unit.path);
  }
}

function characterTokens(alphabet: readonly string[]): Tokens {
  const indices = new Map(alphabet.map((character, i) => [character, i]));
  return {
    count: alphabet.length,
    cut: (bytes, where) => {
      const characters = Array.from(decodeText(bytes, where));
      return Int32Array.from(characters, (character) => {
        const index = indices.get(character);
        if (index !== undefined) return index;
        const remedy = 'Add the data set again, or name all characters with --classes';
        throw corrupt(where, `character ${JSON.stringify(character)} is not known`, remedy);
      });
    },
  };
}

async function tokenizerTokens(path: string): Promise<Tokens> {
  const remedy = "Give a tokenizer.json as Hugging Face's libraries write it";
  try {
    const definition: object = JSON.parse(await readFile(path, 'utf8'));
    const { Tokenizer } = await import('@huggingface/tokenizers');
    const tokenizer = new Tokenizer(definition, {});
    let last = -1;
    for (const id of tokenizer.get_vocab().values()) last = Math.max(last, id);
    return {
      count: last + 1,
      cut: (bytes, where) => {
        const { ids } = tokenizer.encode(decodeText(bytes, where), { add_special_tokens: false });
        return Int32Array.from(ids);
      },
    };
  } catch (error) {
    throw corrupt(path, errorMessage(error), remedy);
  }
}

/** @throws ProtocolError `dataset-corrupt` naming the first line that is not UTF-8 */
export function decodeText(bytes: Uint8Array, where: string): string {
  if (isUtf8(bytes)) return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  let line = 1;
  let start = 0;
  for (;;) {
    const end = bytes.indexOf(0x0a, start);
    if (end < 0 || !isUtf8(bytes.subarray(start, end))) break;
    start = end + 1;
    line++;
  }
  const remedy = 'Convert the file to UTF-8, or use --text bytes';
  throw corrupt(`${where}, line ${line}`, 'the text is not UTF-8', remedy);
}
