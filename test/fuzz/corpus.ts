/**
 * Inputs that are replayed on every run. `rare/` is written by `npm run fuzz -- --corpus`: the
 * smallest found for each branch. `broken/` has what once broke something, one file each, and only
 * grows. A line is one input in hex; what follows a `#` says what it did.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fromHex, toHex } from '@starling/core';
import { hashHex } from '@starling/crypto';
import type { Crasher, Tally } from './runner.ts';

const ROOT = new URL('corpus/', import.meta.url);
/** Larger ones are found again from the seeds; the repository stays small. */
const RARE_BYTES_MAX = 600;
/** Branches kept of one target. */
const RARE_MAX = 40;

const linesOf = (file: URL): readonly string[] =>
  existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];

const inputsOf = (file: URL): readonly Uint8Array[] =>
  linesOf(file).flatMap((line) => {
    const hex = line.split('#')[0]!.trim();
    return hex === '' ? [] : [fromHex(hex)];
  });

const brokenFiles = (target: string): readonly string[] => {
  const folder = new URL('broken/', ROOT);
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((file) => file.startsWith(`${target}-`));
};

/** All inputs that are kept for a target. */
export const corpusOf = (target: string): readonly Uint8Array[] => [
  ...inputsOf(new URL(`rare/${target}.txt`, ROOT)),
  ...brokenFiles(target).flatMap((file) => inputsOf(new URL(`broken/${file}`, ROOT))),
];

/** Names of the targets that have inputs here: none may be left without a target. */
export function corpusTargets(): readonly string[] {
  const names = (folder: string, ending: RegExp) => {
    const url = new URL(folder, ROOT);
    return existsSync(url) ? readdirSync(url).map((file) => file.replace(ending, '')) : [];
  };
  return [...new Set([...names('rare/', /\.txt$/), ...names('broken/', /-[^-]*\.txt$/)])];
}

function write(file: URL, lines: readonly string[]): string {
  const path = fileURLToPath(file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

const comment = (what: string): string =>
  what
    .split('\n')[0]!
    .replace(/[^ -~]/g, '?')
    .slice(0, 80);

/** Keeps an input that broke something. */
export function storeCrasher({ target, input, reason }: Crasher): string {
  const name = `broken/${target}-${hashHex(input).slice(0, 12)}.txt`;
  return write(new URL(name, ROOT), [`${toHex(input)} # ${comment(reason)}`]);
}

/** Writes the rare inputs of a target anew. */
export function storeRare({ target, rare }: Tally): string {
  const kept = [...rare]
    .filter(([, input]) => input.length > 0 && input.length <= RARE_BYTES_MAX)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .slice(0, RARE_MAX);
  const lines = kept.map(([branch, input]) => `${toHex(input)} # ${comment(branch)}`);
  return write(new URL(`rare/${target}.txt`, ROOT), lines);
}
