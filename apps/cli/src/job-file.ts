import { dirname, resolve } from 'node:path';
import { type JobFile, jobFileSchema } from '@starling/control';
import { ConfigError } from '@starling/core';
import { isMap, isNode, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { readInput } from './files.ts';
import { oneLine } from './table.ts';

/** A job as its file says, and the ONNX file that it names. */
export interface JobInput {
  readonly job: JobFile;
  readonly model: Uint8Array;
}

export const ZOO_PREFIX = 'zoo:';

/**
 * Reads JOB.yaml and its model; the model's path counts from the job file's folder.
 * @param seed draws the weights of a model of the zoo
 */
export async function readJob(path: string, seed: number): Promise<JobInput> {
  const text = new TextDecoder().decode(await readInput('job', path));
  const job = parseJobFile(text, path);
  const model = job.model.startsWith(ZOO_PREFIX)
    ? await modelOfZoo(job.model.slice(ZOO_PREFIX.length), seed)
    : await readInput(`${path}, model`, resolve(dirname(path), job.model));
  return { job, model: job.output === undefined ? model : await withOutput(model, job.output) };
}

/** The model with one of its outputs: what is launched has no other. */
async function withOutput(model: Uint8Array, output: string): Promise<Uint8Array> {
  const { readModel, selectOutput, writeModel } = await import('@starling/onnx');
  return writeModel(selectOutput(readModel(model), output));
}

export async function modelOfZoo(name: string, seed: number): Promise<Uint8Array> {
  const { ZOO, zooModel } = await import('@starling/trainer');
  const { writeModel } = await import('@starling/onnx');
  const known = ZOO.find((each) => each === name);
  if (known !== undefined) return writeModel(zooModel(known, seed));
  throw new ConfigError('model', `the zoo has no "${name}"`, `It has ${ZOO.join(', ')}`);
}

/**
 * @param file its name, for messages
 * @throws ConfigError that names the line and the key
 */
export function parseJobFile(text: string, file: string): JobFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const syntax = document.errors[0];
  if (syntax !== undefined) {
    const line = syntax.linePos?.[0].line ?? 1;
    // The library's message goes on with a picture of the place.
    const cause = oneLine(syntax.message.split('\n')[0]!).replace(/ at line \d+.*$/, '');
    throw new ConfigError(`${file}, line ${line}`, `is no YAML: ${cause}`);
  }
  const parsed = jobFileSchema.safeParse(document.toJS() ?? {});
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const path = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0]!] : issue.path;
  const at = offsetOf(document.contents, path);
  const line = at === undefined ? 1 : lines.linePos(at).line;
  const others = parsed.error.issues.length - 1;
  const more = others === 0 ? '' : ` (and ${others} more)`;
  throw new ConfigError(
    `${file}, line ${line}, ${path.join('.') || 'job'}`,
    `${wordsOf(issue)}${more}`,
  );
}

const wordsOf = ({ code, message }: { code: string; message: string }): string =>
  code === 'unrecognized_keys' ? 'there is no such key' : message;

/** Where the deepest part of `path` that exists begins: its key, or its place in a list. */
function offsetOf(root: unknown, path: readonly PropertyKey[]): number | undefined {
  let node: unknown = root;
  let offset = rangeStart(node);
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === part);
      if (pair === undefined) return offset;
      offset = rangeStart(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof part === 'number') {
      node = node.items[part];
      offset = rangeStart(node) ?? offset;
    } else return offset;
  }
  return offset;
}

const rangeStart = (node: unknown): number | undefined =>
  isNode(node) ? (node as Node).range?.[0] : undefined;
