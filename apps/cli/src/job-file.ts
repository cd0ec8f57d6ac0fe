import { type JobFile, jobFileSchema } from '@starling/control';
import { ConfigError } from '@starling/core';
import { besideFile, readInput } from './files.ts';
import { parseYaml } from './yaml-file.ts';

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
    : await readInput(`${path}, model`, besideFile(path, job.model));
  if (job.output === undefined) return { job, model };
  const { withOutput } = await import('@starling/onnx');
  // What is launched has no other.
  const measured = job.training.metrics.map(({ output }) => output);
  return { job, model: withOutput(model, job.output, measured) };
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
export const parseJobFile = (text: string, file: string): JobFile =>
  parseYaml(text, { file, schema: jobFileSchema, what: 'job' });
