/** The vectors of protocols/infer. */
import type { Codec } from '@starling/core';
import {
  type InferAnswer,
  type InferRequest,
  inferAnswer,
  inferRequest,
} from '@starling/protocol-infer';
import { type BadVector, badWire, encodingFaults, type GoodVector, good } from './shared.ts';

const images = { name: 'input', type: 'float32', shape: [2, 784] } as const;
const tokens = { name: 'tokens', type: 'int64', shape: [1, 7] } as const;
const ask: Extract<InferRequest, { kind: 'infer' }> = {
  ...({ kind: 'infer', model: 'digits', version: null } as const),
  ...{ inputs: [images], outputs: null },
};

const refused = (code: Extract<InferAnswer, { kind: 'refused' }>['code'], after: number | null) =>
  good(`refused: ${code}`, 'answer', inferAnswer, {
    kind: 'refused',
    ...{ code, message: 'why', retrySeconds: after },
  });

export function inferGood(): readonly GoodVector[] {
  return [
    good('what is served', 'request', inferRequest, { kind: 'models' }),
    good('the newest version, all outputs', 'request', inferRequest, ask),
    good('a version, two inputs, one output', 'request', inferRequest, {
      ...ask,
      ...{ version: '12', inputs: [images, tokens], outputs: ['scores'] },
    }),
    good('a single number', 'request', inferRequest, {
      ...ask,
      inputs: [{ name: 'x', type: 'bool', shape: [] }],
    }),
    good('nothing is served', 'answer', inferAnswer, { kind: 'models', models: [] }),
    good('a model with open sizes', 'answer', inferAnswer, {
      kind: 'models',
      models: [
        {
          ...{ model: 'digits', version: '12' },
          inputs: [{ name: 'input', type: 'float32', shape: [null, 784] }],
          outputs: [{ name: 'scores', type: 'float32', shape: [null, 10] }],
        },
      ],
    }),
    good('outputs', 'answer', inferAnswer, {
      kind: 'outputs',
      version: '12',
      outputs: [{ name: 'scores', type: 'float32', shape: [2, 10] }],
    }),
    refused('unknown-model', null),
    refused('bad-request', null),
    refused('quota', 30),
    refused('busy', 1),
    refused('not-ready', 5),
    refused('failed', null),
  ];
}

export function inferBad(): readonly BadVector[] {
  const request = inferRequest as Codec<unknown>;
  const answer = inferAnswer as Codec<unknown>;
  const tensor = ['x', 0, [1]];
  return [
    ...encodingFaults('request', request, ask as unknown),
    badWire('a name of 65 bytes', 'request', request, [1, ['a'.repeat(65), null, [], null]]),
    badWire('a type beyond the last', 'request', request, [1, ['m', null, [['x', 7, []]], null]]),
    badWire('nine dimensions', 'request', request, [
      ...[1, ['m', null, [['x', 0, Array(9).fill(1)]], null]],
    ]),
    badWire('an open size in a request', 'request', request, [
      ...[1, ['m', null, [['x', 0, [null]]], null]],
    ]),
    badWire('a size below zero', 'request', request, [1, ['m', null, [['x', 0, [-1]]], null]]),
    badWire('65 tensors', 'request', request, [1, ['m', null, Array(65).fill(tensor), null]]),
    badWire('a fifth field', 'request', request, [1, ['m', null, [], null, null]]),
    badWire('a code beyond the last', 'answer', answer, [2, [6, '', null]]),
    badWire('65 models', 'answer', answer, [0, [Array(65).fill(['m', '1', [], []])]]),
  ];
}
