/**
 * Entry of the load generator's process: keeps connections busy with one request, sent again and
 * again, and does as little beside that as it can. It speaks HTTP over plain sockets, since Node's
 * own client costs as much as a small model's run.
 */
import { connect, type Socket } from 'node:net';

export interface LoadTask {
  readonly port: number;
  /** Head and body of the request. */
  readonly request: Uint8Array;
  readonly connections: number;
  readonly milliseconds: number;
  /** Milliseconds between an answer and the next request. */
  readonly pauseMs: number;
}

export interface LoadResult {
  /** Milliseconds of each request. */
  readonly times: Float64Array;
  /** Of the first answer that was none. */
  readonly fault: string | null;
}

const HEAD_END = Buffer.from('\r\n\r\n');

/** Bytes of a whole answer, once its head is there. */
function answerBytes(held: Buffer): number | undefined {
  const end = held.indexOf(HEAD_END);
  if (end === -1) return undefined;
  const head = held.subarray(0, end).toString('latin1');
  if (!head.startsWith('HTTP/1.1 200 ')) throw new Error(held.toString('utf8'));
  const length = /content-length: (\d+)/i.exec(head)?.[1];
  return end + HEAD_END.length + Number(length);
}

function drive(socket: Socket, { request, pauseMs }: LoadTask, end: number, times: number[]) {
  return new Promise<void>((resolve, reject) => {
    let began = 0;
    let chunks: Buffer[] = [];
    let bytes = 0;
    const next = () => {
      if (performance.now() >= end) return resolve();
      began = performance.now();
      socket.write(request);
    };
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      try {
        const held = chunks.length === 1 ? chunk : Buffer.concat(chunks);
        if (bytes < (answerBytes(held) ?? Number.POSITIVE_INFINITY)) return;
      } catch (error) {
        return reject(error as Error);
      }
      chunks = [];
      bytes = 0;
      times.push(performance.now() - began);
      if (pauseMs > 0) setTimeout(next, pauseMs);
      else next();
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the server hung up')));
    next();
  });
}

async function load(task: LoadTask): Promise<LoadResult> {
  const times: number[] = [];
  const sockets = await Promise.all(
    Array.from(
      { length: task.connections },
      () =>
        new Promise<Socket>((resolve, reject) => {
          const socket = connect({ port: task.port, host: '127.0.0.1', noDelay: true });
          socket.once('connect', () => resolve(socket)).once('error', reject);
        }),
    ),
  );
  const end = performance.now() + task.milliseconds;
  try {
    await Promise.all(sockets.map((socket) => drive(socket, task, end, times)));
    return { times: Float64Array.from(times), fault: null };
  } catch (error) {
    return { times: Float64Array.from(times), fault: (error as Error).message };
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

process.on('message', (task: LoadTask) => {
  void load(task).then((result) => process.send?.(result));
});
process.on('disconnect', () => process.exit(0));
