/**
 * Entry of a trainer child: the process in which ONNX Runtime trains one job (decision 4). It
 * answers one request at a time and ends when its parent does.
 */
import { describeModel } from '@starling/autodiff';
import { errorMessage, ProtocolError, unreachable } from '@starling/core';
import { readModel } from '@starling/onnx';
import type {
  ChildNews,
  ChildRequest,
  ChildResults,
  NewsEnvelope,
  RequestEnvelope,
  ResponseEnvelope,
} from './child-protocol.ts';
import { openDataSource } from './data/open-source.ts';
import { trialJob, tryDevice } from './device-trial.ts';
import { type LocalJob, openLocalJob } from './local-job.ts';

let prepared: LocalJob | undefined;

function job(): LocalJob {
  if (prepared === undefined) throw new ProtocolError('no-such-job', 'no job is prepared');
  return prepared;
}

/** A larger checkpoint is not sent: on its way it is in memory three times. */
const CHECKPOINT_BYTES_MAX = 256 * 2 ** 20;
const CHECKPOINT_SHARE = 0.1;
/** Bytes that this process may take, since a job is prepared. */
let memoryLimit = Number.POSITIVE_INFINITY;

/** Sends news of a request, and waits until they are on their way. */
type Tell = (news: ChildNews) => Promise<void>;

async function answer(
  request: ChildRequest,
  tell: Tell,
): Promise<ChildResults[keyof ChildResults]> {
  switch (request.kind) {
    case 'describe': {
      return describeModel(readModel(request.model), request.weights);
    }
    case 'prepare': {
      const { path, plan, augment } = request.data;
      const source = await openDataSource(path, plan);
      const { threads, memory, place } = request;
      memoryLimit = memory;
      prepared = await openLocalJob({
        ...{ job: request.job, source, threads, memory, place, augment: augment ?? undefined },
      });
      const { layout, initial, warnings, steps, exampleCost } = prepared;
      return { layout, initial, warnings, steps, exampleCost };
    }
    case 'try': {
      const { place, threads, own } = request;
      if (own === undefined) return tryDevice({ place, threads, ...trialJob() });
      const source = await openDataSource(own.data.path, own.data.plan);
      const augment = own.data.augment ?? undefined;
      return tryDevice({ place, threads, job: own.job, source, augment });
    }
    case 'train':
      return train(request, tell);
    case 'evaluate':
      return job().evaluate(request.vector, request.examplesMax, request.personal);
    default:
      return unreachable(request);
  }
}

function train(request: Extract<ChildRequest, { kind: 'train' }>, tell: Tell) {
  const { vector, seed, context, resume, seconds } = request;
  const progress = every(seconds.progress);
  const checkpoints = every(seconds.checkpoint);
  const bytesMax = Math.min(CHECKPOINT_BYTES_MAX, CHECKPOINT_SHARE * memoryLimit);
  return job().train(vector, seed, context, {
    resume,
    onPause: async (now, checkpoint) => {
      const bytes = checkpoint.vector.byteLength + checkpoint.states.byteLength;
      if (bytes <= bytesMax && checkpoints()) {
        await tell({ kind: 'checkpoint', checkpoint });
      }
      if (progress()) await tell({ kind: 'progress', progress: now });
    },
  });
}

/** Says yes when so many seconds have passed since it last did, or since it was made. */
function every(seconds: number): () => boolean {
  let last = performance.now();
  return () => {
    const now = performance.now();
    if (now - last < 1000 * seconds) return false;
    last = now;
    return true;
  };
}

/** What V8, C++ and ONNX Runtime's arena say when there is no memory. */
const MEMORY_WORDS = /bad_alloc|bad allocation|failed to allocate|allocation failed/i;

function codeOf(error: unknown): string {
  if (error instanceof ProtocolError) return error.code;
  return MEMORY_WORDS.test(errorMessage(error)) ? 'out-of-memory' : 'trainer-failed';
}

async function respond({ id, request }: RequestEnvelope): Promise<ResponseEnvelope> {
  try {
    return { id, ok: true, result: await answer(request, tellOf(id)) };
  } catch (error) {
    return { id, ok: false, code: codeOf(error), message: errorMessage(error) };
  }
}

const tellOf =
  (id: number): Tell =>
  (news) =>
    new Promise((resolve) => {
      // A run blocks this process: what is not sent by then waits for its end.
      const envelope: NewsEnvelope = { id, news };
      if (process.connected) process.send!(envelope, undefined, undefined, () => resolve());
      else resolve();
    });

let queue: Promise<unknown> = Promise.resolve();
process.on('message', (envelope: RequestEnvelope) => {
  queue = queue.then(async () => {
    const response = await respond(envelope);
    // The parent may be gone by now; then 'disconnect' ends this process.
    if (process.connected) process.send!(response, undefined, undefined, () => {});
  });
});
process.on('disconnect', () => process.exit(0));
// Ctrl-C reaches the whole process group; when to end is the parent's decision.
process.on('SIGINT', () => {});
