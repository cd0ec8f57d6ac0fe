import {
  decodeCanonical,
  encodeCanonical,
  type Membership,
  type Parcel,
  type PeerId,
  ProtocolError,
  type Transport,
} from '@starling/core';
import {
  type InferAnswer as Answer,
  INFER_LIMITS,
  INFER_PROTOCOL,
  type InferTensor,
  inferAnswer,
  inferRequest,
  type REFUSALS,
  type InferRequest as Request,
  splitBody,
} from '@starling/protocol-infer';
import { badRequest, type FailureKind, failureOf, ServingError } from './failure.ts';
import type { InferAnswer, InferRequest } from './served-model.ts';
import type { Served, Serving } from './serving.ts';
import type { NamedTensor, TensorSpec } from './tensors.ts';

export interface PeerPoint {
  readonly transport: Pick<Transport, 'handle' | 'request'>;
  readonly membership: Pick<Membership, 'refusal'>;
  /** Whether a member may ask a model that is served to the swarm; all may unless told. */
  readonly mayAsk?: (model: string, peer: PeerId) => boolean;
}

/** A model that another peer serves. */
export interface PeerModel {
  readonly model: string;
  readonly version: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}

type Refusal = Extract<Answer, { kind: 'refused' }>['code'];
type Asked = Extract<Request, { kind: 'infer' }>;

const NO_BODY = new Uint8Array(0);
const TIMEOUT_MS = 60_000;
const CODES: Readonly<Record<FailureKind, Refusal>> = {
  ...{ 'bad-request': 'bad-request', 'unknown-model': 'unknown-model', quota: 'quota' },
  ...{ 'queue-full': 'busy', 'not-ready': 'not-ready', crashed: 'failed', failed: 'failed' },
};
const KINDS: Readonly<Record<(typeof REFUSALS)[number], FailureKind>> = {
  ...{ 'bad-request': 'bad-request', 'unknown-model': 'unknown-model', quota: 'quota' },
  ...{ busy: 'queue-full', 'not-ready': 'not-ready', failed: 'failed' },
};

/** Answers members of the swarm from now on. Spec: protocols/infer/spec.md. */
export function servePeers(
  serving: Serving,
  { transport, membership, mayAsk = () => true }: PeerPoint,
): void {
  transport.handle(INFER_PROTOCOL, async (parcel, from) => {
    const refusal = membership.refusal(from);
    if (refusal !== undefined) throw new ProtocolError('not-a-member', refusal);
    try {
      return await answer({ serving, mayAsk }, parcel, from);
    } catch (error) {
      return refused(failureOf(error));
    }
  });
}

const parcelOf = (header: Answer, body = NO_BODY): Parcel => ({
  header: encodeCanonical(inferAnswer, header),
  body,
});

function refused({ kind, message, retrySeconds: after }: ServingError): Parcel {
  // At most four bytes for each.
  const text = message.slice(0, INFER_LIMITS.messageBytesMax / 4);
  const retrySeconds = after ?? null;
  return parcelOf({ kind: 'refused', code: CODES[kind], message: text, retrySeconds });
}

type Point = Required<Pick<PeerPoint, 'mayAsk'>> & { readonly serving: Serving };

async function answer(
  { serving, mayAsk }: Point,
  { header, body }: Parcel,
  from: PeerId,
): Promise<Parcel> {
  const request = readHeader(header);
  if (request.kind === 'models') {
    const open = serving.list().filter(({ options }) => options.swarm);
    return parcelOf({ kind: 'models', models: open.flatMap(shown) });
  }
  // What is not for the swarm is to it as if it were not there.
  if (serving.find(request.model)?.options.swarm !== true) {
    throw new ServingError('unknown-model', `no model "${request.model}" is served`);
  }
  if (!mayAsk(request.model, from)) {
    const what = `"${request.model}" is restricted, and you have shown no token here`;
    throw new ServingError('unknown-model', what);
  }
  const { version, outputs } = await serving.infer(request.model, asked(request, body), from);
  const headers = outputs.map(({ name, dtype, shape }) => ({ name, type: dtype, shape }));
  const bytes = outputs.map((tensor) => tensor.bytes);
  return parcelOf({ kind: 'outputs', version, outputs: headers }, Buffer.concat(bytes));
}

function readHeader(header: Uint8Array): Request {
  try {
    return decodeCanonical(inferRequest, header, INFER_LIMITS.headerBytesMax);
  } catch (error) {
    throw badRequest((error as Error).message);
  }
}

function asked({ inputs, outputs, version }: Asked, body: Uint8Array): InferRequest {
  if (body.length > INFER_LIMITS.bodyBytesMax) {
    throw badRequest(`a body of ${body.length} bytes, at most ${INFER_LIMITS.bodyBytesMax}`);
  }
  const tensors = tensorsOf(inputs, body);
  if (tensors === undefined) {
    throw badRequest(`a body of ${body.length} bytes is not what its tensors make`);
  }
  return { inputs: tensors, outputs: outputs ?? undefined, version: version ?? undefined };
}

function tensorsOf(
  headers: readonly InferTensor[],
  body: Uint8Array,
): readonly NamedTensor[] | undefined {
  const parts = splitBody(headers, body);
  return parts?.map((bytes, i) => {
    const { name, type, shape } = headers[i]!;
    return { name, dtype: type, shape, bytes };
  });
}

const specOf = ({ name, dtype, shape }: TensorSpec) => ({ name, type: dtype, shape });

function shown({ name, version, inputs, outputs }: Served) {
  if (version === null) return [];
  return [{ model: name, version, inputs: inputs.map(specOf), outputs: outputs.map(specOf) }];
}

/** Asks models of other peers. */
export class PeerModels {
  readonly #transport: PeerPoint['transport'];

  constructor(transport: PeerPoint['transport']) {
    this.#transport = transport;
  }

  /** @throws ProtocolError when it cannot be asked, or answers what it must not */
  async list(peer: PeerId): Promise<readonly PeerModel[]> {
    const { header } = await this.#ask(peer, { kind: 'models' }, NO_BODY);
    if (header.kind !== 'models') throw strange(peer);
    const read = ({ name, type, shape }: (typeof header.models)[number]['inputs'][number]) => ({
      ...{ name, dtype: type, shape },
    });
    return header.models.map(({ model, version, inputs, outputs }) => ({
      ...{ model, version, inputs: inputs.map(read), outputs: outputs.map(read) },
    }));
  }

  /** @throws ServingError with what the peer refused, ProtocolError as `list` */
  async infer(peer: PeerId, model: string, request: InferRequest): Promise<InferAnswer> {
    const { inputs, outputs = null, version = null } = request;
    const headers = inputs.map(({ name, dtype, shape }) => ({ name, type: dtype, shape }));
    const body = Buffer.concat(inputs.map(({ bytes }) => bytes));
    const wanted = { kind: 'infer', model, version, inputs: headers, outputs } as const;
    const { header, body: given } = await this.#ask(peer, wanted, body);
    if (header.kind !== 'outputs') throw strange(peer);
    const tensors = tensorsOf(header.outputs, given);
    if (tensors === undefined) throw strange(peer);
    return { version: header.version, outputs: tensors };
  }

  async #ask(peer: PeerId, request: Request, body: Uint8Array) {
    const parcel = { header: encodeCanonical(inferRequest, request), body };
    const options = { timeoutMs: TIMEOUT_MS, bodyBytesMax: INFER_LIMITS.bodyBytesMax };
    const answer = await this.#transport.request(peer, INFER_PROTOCOL, parcel, options);
    const header = decodeCanonical(inferAnswer, answer.header, INFER_LIMITS.headerBytesMax);
    if (header.kind !== 'refused') return { header, body: answer.body };
    const { code, message, retrySeconds } = header;
    throw new ServingError(KINDS[code], message, retrySeconds ?? undefined);
  }
}

const strange = (peer: PeerId): ProtocolError =>
  new ProtocolError('answer', `${peer} answers what was not asked`);
