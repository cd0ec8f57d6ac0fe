import { readFile } from 'node:fs/promises';
import { assert, errorMessage, ProtocolError } from '@starling/core';
import type { FileStore, StoredFile } from './file-store.ts';
import type { DataOptions, ReadingUnit, TextUnit } from './options.ts';
import {
  corrupt,
  type DataSource,
  type Examples,
  type Progress,
  type SourceInfo,
} from './source.ts';
import type { Findings } from './table-plan.ts';
import { decodeText, openTokens, type Tokens } from './text-units.ts';

/** A stretch of a file that is cut into tokens as a whole. */
export interface TextBlock {
  readonly path: string;
  readonly start: number;
  readonly end: number;
  readonly tokens: number;
}

export interface TextPlan extends Findings {
  readonly unit: ReadingUnit;
  /** The characters that are tokens, in order; empty for other units. */
  readonly alphabet: readonly string[];
  readonly blocks: readonly TextBlock[];
  readonly count: number;
}

const BLOCK_BYTES = 1024 * 1024;
const SEQUENCE = 128;
const NEWLINE = 0x0a;

/**
 * Cuts all text once. An example is a sequence of tokens, its target the same one token later;
 * sequences do not overlap, and files follow each other.
 * @throws ProtocolError `dataset-corrupt` naming file and line
 */
export async function planText(
  store: FileStore,
  files: readonly StoredFile[],
  options: DataOptions,
  progress?: Progress,
): Promise<TextPlan> {
  const asked = options.text ?? { kind: 'bytes' };
  const given = await givenAlphabet(asked, options);
  const unit: ReadingUnit = asked.kind === 'characters' ? { kind: 'characters' } : asked;
  const seen = new Set<string>();
  const isOpen = unit.kind === 'characters' && given.length === 0;
  const counter = isOpen ? alphabetCounter(seen) : await openTokens(unit, given);
  const blocks: TextBlock[] = [];
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  for (const file of files) {
    for await (const { bytes, start } of readBlocks(store, file, unit)) {
      const tokens = counter.cut(bytes, `${store.root} ${file.path} from byte ${start}`).length;
      blocks.push({ path: file.path, start, end: start + bytes.length, tokens });
      done += bytes.length;
      progress?.(done, total);
    }
  }
  const alphabet = isOpen ? [...seen].sort() : given;
  const length = options.sequence ?? SEQUENCE;
  const tokens = blocks.reduce((sum, block) => sum + block.tokens, 0);
  const count = Math.max(0, Math.floor((tokens - 1) / length));
  const notes =
    options.text === undefined ? ['the text is cut into bytes; --text says otherwise'] : [];
  if (options.sequence === undefined) notes.push(`sequences of ${length} tokens, see --sequence`);
  const tooShort = `${tokens} tokens are too few for sequences of ${length}; choose --sequence`;
  return {
    ...{ unit, alphabet, blocks, count, notes },
    shape: [length],
    elements: { dtype: 'int32' },
    target: { kind: 'sequence', count: isOpen ? alphabet.length : counter.count, length },
    histogram: [],
    range: null,
    problems: count < 2 ? [tooShort] : [],
  };
}

/** Characters that are to be tokens, in order: those of a file, or those that options name. */
async function givenAlphabet(unit: TextUnit, { classes }: DataOptions): Promise<readonly string[]> {
  if (unit.kind !== 'characters' || unit.alphabet === undefined) {
    return typeof classes === 'object' ? classes : [];
  }
  const { alphabet } = unit;
  const bytes = await readFile(alphabet).catch((error) => {
    throw new ProtocolError('dataset-missing', `${alphabet}: ${errorMessage(error)}`);
  });
  return [...new Set(decodeText(bytes, alphabet))];
}

/** Counts characters and remembers which there are. */
const alphabetCounter = (seen: Set<string>): Pick<Tokens, 'cut'> & { readonly count: number } => ({
  count: 0,
  cut: (bytes, where) => {
    const characters = Array.from(decodeText(bytes, where));
    for (const character of characters) seen.add(character);
    return new Int32Array(characters.length);
  },
});

/** Blocks end behind a line or, in longer lines, between characters. */
async function* readBlocks(store: FileStore, { path }: StoredFile, unit: ReadingUnit) {
  const file = await store.open(path);
  try {
    for (let start = 0; start < file.byteLength; ) {
      const read = await file.read(start, Math.min(start + BLOCK_BYTES, file.byteLength));
      const isLast = start + read.length === file.byteLength;
      const bytes = isLast || unit.kind === 'bytes' ? read : read.subarray(0, cutBehind(read));
      yield { bytes, start };
      start += bytes.length;
    }
  } finally {
    await file.close();
  }
}

function cutBehind(bytes: Uint8Array): number {
  const line = bytes.lastIndexOf(NEWLINE) + 1;
  if (line > 0) return line;
  // Bytes 10xxxxxx continue a character.
  let end = bytes.length;
  while (end > bytes.length - 4 && (bytes[end - 1]! & 0xc0) === 0x80) end--;
  return end > 1 ? end - 1 : bytes.length;
}

export interface TextSourceParts {
  readonly info: SourceInfo;
  readonly store: FileStore;
  readonly tokens: Tokens;
  readonly blocks: readonly TextBlock[];
  /** Tokens of an example. */
  readonly length: number;
}

/** Sequences of tokens, cut when they are read. */
export class TextSource implements DataSource {
  readonly info: SourceInfo;
  readonly #parts: TextSourceParts;
  /** The block that was cut last: readings mostly go on where one ended. */
  #held: { readonly block: TextBlock; readonly tokens: Int32Array } | undefined;

  constructor(parts: TextSourceParts) {
    this.info = parts.info;
    this.#parts = parts;
  }

  async read(from: number, count: number): Promise<Examples> {
    const { info, length, blocks } = this.#parts;
    assert(from >= 0 && from + count <= info.count, `examples ${from} to ${from + count}`);
    const first = from * length;
    // The last target is one token behind the last input.
    const all = new Int32Array(count * length + 1);
    let at = 0;
    for (const block of blocks) {
      const start = Math.max(first, at);
      const end = Math.min(first + all.length, at + block.tokens);
      if (start < end) {
        const tokens = await this.#cut(block);
        all.set(tokens.subarray(start - at, end - at), start - first);
      }
      at += block.tokens;
    }
    return { count, inputs: all.slice(0, -1), targets: all.slice(1) };
  }

  close(): Promise<void> {
    return this.#parts.store.close();
  }

  async #cut(block: TextBlock): Promise<Int32Array> {
    if (this.#held?.block === block) return this.#held.tokens;
    const { store, tokens } = this.#parts;
    const file = await store.open(block.path);
    try {
      const cut = tokens.cut(await file.read(block.start, block.end), file.name);
      if (cut.length !== block.tokens) {
        const found = `${cut.length} tokens from byte ${block.start} on, expected ${block.tokens}`;
        throw corrupt(file.name, found, 'The file has changed; add the data set again');
      }
      this.#held = { block, tokens: cut };
      return cut;
    } finally {
      await file.close();
    }
  }
}
