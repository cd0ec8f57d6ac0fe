import { ConfigError } from '@starling/core';
import type { InferenceServer, NamedTensor, TensorSpec } from '@starling/serving';
import type { Command } from 'commander';
import { readInput } from '../files.ts';
import { addDaemonCommand, type DaemonOptions } from '../options.ts';
import { note, print, printJson } from '../output.ts';

interface InferCommand extends DaemonOptions {
  readonly input: readonly string[];
  readonly output?: readonly string[];
  readonly url?: string;
  readonly bearer?: string;
  readonly peer?: string;
}

/** A model that can be asked, wherever it is. */
interface Asked {
  readonly inputs: readonly TensorSpec[];
  infer(
    inputs: readonly NamedTensor[],
    outputs: readonly string[] | undefined,
  ): Promise<{ readonly version: string; readonly outputs: readonly NamedTensor[] }>;
}

export function registerInfer(program: Command): void {
  addDaemonCommand(program, {
    usage: 'infer <model>',
    summary: 'ask a served model: of this daemon, of an address, or of a peer of the swarm',
    examples: [
      'infer digits --input images.npy',
      'infer digits --input images.npy --peer 12D3KooW…',
      'infer digits --input input=images.json --url https://ward7.example:8600 --bearer token',
    ],
  })
    .requiredOption(
      '--input <files...>',
      'a NumPy array or JSON with nested numbers, as FILE, or NAME=FILE for each of several',
    )
    .option('--output <names...>', 'outputs that are wanted; all unless told')
    .option('--peer <id>', 'a connected member of the swarm, which serves it with --swarm')
    .option('--url <url>', 'a server of the Open Inference Protocol')
    .option('--bearer <file>', 'a file with the token for that server')
    .action(async (model: string, options: InferCommand) => {
      const asked = await modelAt(model, options);
      const { valuesOf } = await import('../tensor-files.ts');
      const inputs = await inputsOf(options.input, asked.inputs);
      const { version, outputs } = await asked.infer(inputs, options.output);
      const shown = outputs.map(({ name, dtype, shape, bytes }) => ({
        ...{ name, dtype, shape, data: valuesOf(dtype, bytes) },
      }));
      if (options.json) return printJson({ model, version, outputs: shown });
      note(`${model}, version ${version}`);
      for (const { name, dtype, shape, data } of shown) {
        print(`${name}: ${dtype} [${shape.join(', ')}]`);
        const width = shape.at(-1) ?? 1;
        for (let at = 0; at < data.length; at += width) {
          print(`  ${data.slice(at, at + width).join(' ')}`);
        }
      }
    });
}

async function modelAt(model: string, options: InferCommand): Promise<Asked> {
  const { url, bearer, peer } = options;
  if (url !== undefined && peer !== undefined) {
    throw new ConfigError('peer', 'is another place than --url', 'Give one of them');
  }
  if (peer !== undefined) return atPeer(model, peer, options);
  const server = url === undefined ? await ownServer(options) : { url };
  const token =
    bearer &&
    Buffer.from(await readInput('bearer', bearer))
      .toString('utf8')
      .trim();
  return atServer(model, { ...server, token });
}

async function ownServer(options: InferCommand): Promise<InferenceServer> {
  const { clientOf } = await import('../client.ts');
  const { url } = await clientOf(options).serving.list();
  if (url !== null) return { url };
  const hint = 'Set `serving: {listen: "127.0.0.1:8600"}`, or name --url or --peer';
  throw new ConfigError('serving.listen', 'this daemon serves nothing over HTTP', hint);
}

async function atServer(model: string, server: InferenceServer): Promise<Asked> {
  const { inferOver, modelOf, typeOfDatatype } = await import('@starling/serving');
  const { inputs } = await modelOf(server, model);
  return {
    inputs: inputs.map(({ name, datatype, shape }) => {
      const dtype = typeOfDatatype(datatype);
      if (dtype !== undefined) {
        return { name, dtype, shape: shape.map((size) => (size < 0 ? null : size)) };
      }
      throw new ConfigError('model', `its input "${name}" is ${datatype}`, 'Numbers can be sent');
    }),
    infer: (tensors, outputs) => inferOver(server, model, tensors, outputs),
  };
}

async function atPeer(model: string, peer: string, options: InferCommand): Promise<Asked> {
  const { clientOf } = await import('../client.ts');
  const { serving } = clientOf(options);
  const models = await serving.peerModels(peer);
  const found = models.find((each) => each.model === model);
  if (found === undefined) {
    const names = models.map((each) => each.model).join(', ');
    const hint = names === '' ? 'It serves none to the swarm' : `It serves ${names}`;
    throw new ConfigError('model', `${peer} serves no "${model}"`, hint);
  }
  return {
    inputs: found.inputs,
    async infer(tensors, outputs) {
      const inputs = tensors.map(({ bytes, shape, ...tensor }) => ({
        ...{ ...tensor, shape: [...shape], data: Buffer.from(bytes).toString('base64') },
      }));
      const wanted = outputs && { outputs: [...outputs] };
      const answer = await serving.askPeer({ peer, model, inputs, ...wanted });
      return {
        version: answer.version,
        outputs: answer.outputs.map(({ data, ...tensor }) => ({
          ...{ ...tensor, bytes: Buffer.from(data, 'base64') },
        })),
      };
    },
  };
}

/** Files by the inputs that they are for; one alone needs no name. */
async function inputsOf(
  given: readonly string[],
  specs: readonly TensorSpec[],
): Promise<readonly NamedTensor[]> {
  const { readTensor } = await import('../tensor-files.ts');
  return Promise.all(
    given.map((word) => {
      const named = specs.find(({ name }) => word.startsWith(`${name}=`));
      if (named !== undefined) return readTensor(word.slice(named.name.length + 1), named);
      if (given.length === 1 && specs.length === 1) return readTensor(word, specs[0]!);
      const names = specs.map(({ name }) => name).join(', ');
      const hint = `Name each file, as NAME=FILE; the model takes ${names}`;
      throw new ConfigError('input', `which input is ${word} for?`, hint);
    }),
  );
}
