import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { describe, expect, onTestFinished, test } from 'vitest';
import { servingOne } from '../testing/serve.ts';
import { listenHttp } from './listener.ts';

interface Published {
  readonly schemas: Readonly<Record<string, object>>;
}
const published: Published = JSON.parse(
  readFileSync(
    new URL('../../../../test/fixtures/open-inference/rest.json', import.meta.url),
    'utf8',
  ),
);
const ajv = new Ajv({ strict: false });
ajv.addSchema({ $id: 'rest', ...published });
const faultsOf = (schema: string, value: unknown): unknown => {
  const isRight = ajv.validate(`rest#/schemas/${schema}`, value);
  return isRight ? null : ajv.errorsText();
};

async function listening() {
  const { serving, source, model } = await servingOne();
  const listener = await listenHttp(serving, {
    ...{ host: '127.0.0.1', port: 0, hosts: [], tokens: [], version: '0.0.0' },
  });
  onTestFinished(async () => {
    await listener.close();
    await serving.close();
  });
  const ask = async (path: string, body?: object) => {
    const headers = { 'content-type': 'application/json' };
    const post = body && { method: 'POST', headers, body: JSON.stringify(body) };
    const response = await fetch(`${listener.url}${path}`, post);
    return { status: response.status, body: await response.json() };
  };
  return { ask, url: listener.url, serving, source, model };
}

const PAIRS = { name: 'x', shape: [2, 2], datatype: 'FP32' };

describe('answers are those of the published schema', () => {
  test('of the server, on both spellings of its path', async () => {
    const { ask } = await listening();
    for (const path of ['/v2', '/v2/']) {
      const { status, body } = await ask(path);
      expect([status, faultsOf('metadata_server_response', body)]).toEqual([200, null]);
      expect(body).toEqual({
        ...{ name: 'starling', version: '0.0.0', extensions: ['binary_tensor_data'] },
      });
    }
  });

  test('of its health', async () => {
    const { ask } = await listening();
    expect(await ask('/v2/health/live')).toEqual({ status: 200, body: { live: true } });
    const ready = { status: 200, body: { live: true, ready: true } };
    expect(await ask('/v2/health/ready')).toEqual(ready);
    const model = { status: 200, body: { name: 'm', ready: true } };
    expect(await ask('/v2/models/m/ready')).toEqual(model);
    expect(await ask('/v2/models/m/versions/1/ready')).toEqual(model);
  });

  test('of a model, with its version and without', async () => {
    const { ask } = await listening();
    for (const path of ['/v2/models/m', '/v2/models/m/versions/1']) {
      const { status, body } = await ask(path);
      expect([status, faultsOf('metadata_model_response', body)]).toEqual([200, null]);
      expect(body).toMatchObject({
        ...{ name: 'm', versions: ['1'], platform: 'onnx_onnxv1' },
        inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }],
      });
    }
  });

  test('of an inference: flat data, nested data, an id, chosen outputs', async () => {
    const { ask } = await listening();
    for (const data of [
      [1, 2, 3, 4],
      [
        [1, 2],
        [3, 4],
      ],
    ]) {
      const request = { id: '42', inputs: [{ ...PAIRS, data }], outputs: [{ name: 'y' }] };
      expect(faultsOf('inference_request', request)).toBeNull();
      const { status, body } = await ask('/v2/models/m/versions/1/infer', request);
      expect([status, faultsOf('inference_response', body)]).toEqual([200, null]);
      const y = { name: 'y', datatype: 'FP32', shape: [2, 2], data: [2, 3, 4, 5] };
      expect(body).toEqual({ model_name: 'm', model_version: '1', id: '42', outputs: [y] });
    }
    const { body } = await ask('/v2/models/m/infer', {
      inputs: [{ ...PAIRS, data: [1, 2, 3, 4] }],
    });
    expect(body).not.toHaveProperty('id');
    expect(body).toMatchObject({ outputs: [{ name: 'y' }, { name: 'z' }] });
  });
});

const asked = (input: object) => ({ inputs: [{ ...PAIRS, ...input }] });
const CASES: readonly [string, string, object | undefined, number, RegExp][] = [
  ['no such model', '/v2/models/n', undefined, 404, /no model "n" is served/],
  ['no such version', '/v2/models/m/versions/9', undefined, 404, /version 9 of "m"/],
  ['its health', '/v2/models/n/ready', undefined, 404, /no model "n"/],
  ['inference by none', '/v2/models/n/infer', asked({ data: [1, 2, 3, 4] }), 404, /"n"/],
  ['no such path', '/v2/model/m', undefined, 404, /no GET \/v2\/model\/m/],
  ['no inputs', '/v2/models/m/infer', {}, 400, /inputs: /],
  ['no data', '/v2/models/m/infer', asked({}), 400, /"x" has no data/],
  ['too few data', '/v2/models/m/infer', asked({ data: [1] }), 400, /1 elements of data.*4/],
  ['too many', '/v2/models/m/infer', asked({ data: [1, 2, 3, 4, 5] }), 400, /5 elements/],
  [
    'a text',
    '/v2/models/m/infer',
    asked({ data: [1, '2', 3, 4] }),
    400,
    /element 1: "2" is no float32/,
  ],
  [
    'a list in place of a number',
    '/v2/models/m/infer',
    asked({ data: [1, 2, JSON.parse(`${'['.repeat(500)}${']'.repeat(500)}`), 4] }),
    400,
    /element 2: a list/,
  ],
  ['a null', '/v2/models/m/infer', asked({ data: [1, 2, null, 4] }), 400, /element 2: null/],
  [
    'ragged rows',
    '/v2/models/m/infer',
    asked({
      data: [
        [1, 2, 3],
        [4, [5]],
      ],
    }),
    400,
    /nested data have 3 parts on axis 1.*\[2, 2\] has 2/,
  ],
  [
    'a datatype',
    '/v2/models/m/infer',
    asked({ datatype: 'BYTES', data: [] }),
    400,
    /BYTES is not one of FP32/,
  ],
  [
    'another type',
    '/v2/models/m/infer',
    asked({ datatype: 'INT64', data: [1, 2, 3, 4] }),
    400,
    /is int64, the model takes/,
  ],
  [
    'a fraction',
    '/v2/models/m/infer',
    asked({ datatype: 'INT32', data: [1.5, 2, 3, 4] }),
    400,
    /1.5 is no int32/,
  ],
  ['a shape', '/v2/models/m/infer', asked({ shape: [4], data: [1, 2, 3, 4] }), 400, /shape \[4\]/],
  ['a size', '/v2/models/m/infer', asked({ shape: [-1, 2], data: [] }), 400, /inputs.0.shape.0/],
];
describe('failures are errors of the published form', () => {
  test.each(CASES)('%s', async (_, path, body, status, words) => {
    const { ask } = await listening();
    const answer = await ask(path, body);
    expect([answer.status, faultsOf('metadata_model_error_response', answer.body)]).toEqual([
      ...[status, null],
    ]);
    expect(answer.body.error).toMatch(words);
  });

  test('what is no JSON, and what may not be sent', async () => {
    const { url } = await listening();
    const post = async (headers: Record<string, string>, body: string) => {
      const response = await fetch(`${url}/v2/models/m/infer`, { method: 'POST', headers, body });
      return [response.status, ((await response.json()) as { error: string }).error] as const;
    };
    const json = { 'content-type': 'application/json' };
    expect(await post(json, '{"inputs":')).toEqual([400, expect.stringMatching(/no JSON/)]);
    expect(await post({ 'content-type': 'text/plain' }, '{}')).toEqual([
      ...[415, expect.stringMatching(/application\/json or application\/octet-stream/)],
    ]);
    const foreign = { ...json, origin: 'https://evil.example' };
    expect(await post(foreign, '{}')).toEqual([403, expect.stringMatching(/other origins/)]);
    const long = `{"inputs":[],"id":"${'x'.repeat(2 * 2 ** 20)}"}`;
    expect(await post(json, long)).toEqual([
      400,
      expect.stringMatching(/of JSON, at most 2097152/),
    ]);
  });
});

describe('binary tensor data', () => {
  const send = async (
    url: string,
    header: object,
    blobs: readonly Uint8Array[],
    length?: string,
  ) => {
    const json = Buffer.from(JSON.stringify(header));
    const response = await fetch(`${url}/v2/models/m/infer`, {
      method: 'POST',
      headers: {
        'content-type': 'application/octet-stream',
        'inference-header-content-length': length ?? String(json.length),
      },
      body: Buffer.concat([json, ...blobs]),
    });
    const body = Buffer.from(await response.arrayBuffer());
    const cut = Number(response.headers.get('inference-header-content-length') ?? body.length);
    const head = JSON.parse(body.subarray(0, cut).toString('utf8'));
    return { status: response.status, head, rest: new Uint8Array(body.subarray(cut)) };
  };
  const bytes = (values: readonly number[]) => new Uint8Array(Float32Array.from(values).buffer);
  const binary = (size: number) => ({ ...PAIRS, parameters: { binary_data_size: size } });

  test('comes and goes as it is', async () => {
    const { url } = await listening();
    const request = { inputs: [binary(16)], parameters: { binary_data_output: true } };
    const { status, head, rest } = await send(url, request, [bytes([1, 2, 3, 4])]);
    expect(status).toBe(200);
    expect(head.outputs).toEqual(
      ['y', 'z'].map((name) => ({
        ...{ name, datatype: 'FP32', shape: [2, 2], parameters: { binary_data_size: 16 } },
      })),
    );
    expect([...new Float32Array(rest.buffer)]).toEqual([2, 3, 4, 5, 2, 3, 4, 5]);
  });

  test('of one output alone, the others in JSON', async () => {
    const { url } = await listening();
    const outputs = [{ name: 'y' }, { name: 'z', parameters: { binary_data: true } }];
    const { head, rest } = await send(url, { inputs: [binary(16)], outputs }, [
      bytes([1, 2, 3, 4]),
    ]);
    expect(head.outputs[0].data).toEqual([2, 3, 4, 5]);
    expect(rest.length).toBe(16);
  });

  test('that does not add up is refused by name', async () => {
    const { url } = await listening();
    const errorOf = async (...args: [object, readonly Uint8Array[], string?]) => {
      const { status, head } = await send(url, ...args);
      return [status, head.error];
    };
    const whole = bytes([1, 2, 3, 4]);
    expect(await errorOf({ inputs: [binary(12)] }, [whole])).toEqual([
      ...[400, expect.stringMatching(/binary_data_size is 12.*make 16/)],
    ]);
    expect(await errorOf({ inputs: [binary(16)] }, [whole.subarray(4)])).toEqual([
      ...[400, expect.stringMatching(/"x".*cut short/)],
    ]);
    expect(await errorOf({ inputs: [binary(16)] }, [whole, whole])).toEqual([
      ...[400, expect.stringMatching(/16 bytes of binary data belong to no input/)],
    ]);
    expect(await errorOf({ inputs: [{ ...binary(16), data: [1] }] }, [whole])).toEqual([
      ...[400, expect.stringMatching(/has data and binary_data_size/)],
    ]);
    expect(await errorOf({ inputs: [] }, [], '99999')).toEqual([
      ...[400, expect.stringMatching(/99999 is no length/)],
    ]);
  });

  test('says what JSON cannot', async () => {
    const { url, ask } = await listening();
    const odd = { inputs: [binary(16)] };
    const { status, head } = await send(url, odd, [bytes([Number.NaN, 1, 1, 1])]);
    expect([status, head.error]).toEqual([500, expect.stringMatching(/NaN.*binary data/)]);
    expect((await ask('/v2/health/live')).status).toBe(200);
  });
});
