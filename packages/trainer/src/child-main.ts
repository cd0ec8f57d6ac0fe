/**
 * Entry of the trainer child: the one process in which ONNX Runtime trains (decision 4). It answers
 * one request at a time and ends when its parent does.
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
import { type LocalJob, openLocalJob } from './local-job.ts';

const jobs = new Map<number, LocalJob>();

function jobOf(handle: number): LocalJob {
  const job = jobs.get(handle);
  if (job === undefined) throw new ProtocolError('no-such-job', `job ${handle} is not prepared`);
  return job;
}

async function answer(request: ChildRequest): Promise<ChildResults[keyof ChildResults]> {
  switch (request.kind) {
    case 'describe': {
      return describeModel(readModel(request.model), request.frozen);
    }
    case 'prepare': {
      const data = await loadDataset(request.datasetPath);
      const job = await openLocalJob({ job: request.job, data, threads: request.threads });
      jobs.set(request.handle, job);
      return { layout: job.layout, initial: job.initial, warnings: job.warnings };
    }
    case 'train':
      return jobOf(request.handle).train(request.vector, request.seed, request.context);
    case 'evaluate':
      return jobOf(request.handle).evaluate(request.vector, request.examplesMax);
    case 'close': {
      const job = jobs.get(request.handle);
      jobs.delete(request.handle);
      await job?.close();
      return null;
    }
    default:
      return unreachable(request);
  }
}

async function respond({ id, request }: RequestEnvelope): Promise<ResponseEnvelope> {
  try {
    return { id, ok: true, result: await answer(request) };
  } catch (error) {
    const code = error instanceof ProtocolError ? error.code : 'trainer-failed';
    return { id, ok: false, code, message: errorMessage(error) };
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
