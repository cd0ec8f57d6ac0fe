/**
 * Entry of a trainer child: the process in which ONNX Runtime trains one job (decision 4). It
 * answers one request at a time and ends when its parent does.
 */
import { describeModel } from '@starling/autodiff';
import { errorMessage, ProtocolError, unreachable } from '@starling/core';
import { readModel } from '@starling/onnx';
import type {
  ChildRequest,
  ChildResults,
  RequestEnvelope,
  ResponseEnvelope,
} from './child-protocol.ts';
import { loadDataset } from './dataset.ts';
import { trialJob, tryDevice } from './device-trial.ts';
import { type LocalJob, openLocalJob } from './local-job.ts';

let prepared: LocalJob | undefined;

function job(): LocalJob {
  if (prepared === undefined) throw new ProtocolError('no-such-job', 'no job is prepared');
  return prepared;
}

async function answer(request: ChildRequest): Promise<ChildResults[keyof ChildResults]> {
  switch (request.kind) {
    case 'describe': {
      return describeModel(readModel(request.model), request.frozen);
    }
    case 'prepare': {
      const data = await loadDataset(request.datasetPath);
      const { threads, memory, device } = request;
      prepared = await openLocalJob({ job: request.job, data, threads, memory, device });
      const { layout, initial, warnings, steps } = prepared;
      return { layout, initial, warnings, steps };
    }
    case 'try': {
      const { device, threads, own } = request;
      const tried = own && { job: own.job, data: await loadDataset(own.datasetPath) };
      return tryDevice({ device, threads, ...(tried ?? trialJob()) });
    }
    case 'train':
      return job().train(request.vector, request.seed, request.context);
    case 'evaluate':
      return job().evaluate(request.vector, request.examplesMax);
    default:
      return unreachable(request);
  }
}

/** What V8, C++ and ONNX Runtime's arena say when there is no memory. */
const MEMORY_WORDS = /bad_alloc|bad allocation|failed to allocate|allocation failed/i;

function codeOf(error: unknown): string {
  if (error instanceof ProtocolError) return error.code;
  return MEMORY_WORDS.test(errorMessage(error)) ? 'out-of-memory' : 'trainer-failed';
}

async function respond({ id, request }: RequestEnvelope): Promise<ResponseEnvelope> {
  try {
    return { id, ok: true, result: await answer(request) };
  } catch (error) {
    return { id, ok: false, code: codeOf(error), message: errorMessage(error) };
  }
}

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
