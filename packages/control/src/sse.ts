import type { FastifyReply, FastifyRequest } from 'fastify';
import type { EventHub, NumberedEvent } from './event-hub.ts';
import { refusals } from './routes/operation.ts';
import { type JobEvent, jobEventSchema } from './schemas.ts';

/** Events that wait for a slow reader. */
const UNREAD_BYTES_MAX = 4 * 1024 * 1024;

const stream = { schema: jobEventSchema };
/** Answers of a route that streams events. */
export const streamSchema = {
  200: {
    description: 'Events, until either side ends them',
    content: { 'text/event-stream': stream, 'application/x-ndjson': stream },
  },
  ...refusals,
};

export interface EventSource {
  readonly events: EventHub;
  /** Between two signs of life of a silent stream. */
  readonly heartbeatMs: number;
}

export interface EventStream extends EventSource {
  /** The only job whose events are wanted; unless told, those of all. */
  readonly job?: string;
  /** What the stream begins with, unless it continues another. */
  readonly now?: JobEvent;
}

/** Sends events in the form that the request accepts, until either side ends. */
export function streamEvents(
  { headers, raw: { socket } }: FastifyRequest,
  reply: FastifyReply,
  { events, job, now, heartbeatMs }: EventStream,
): void {
  const isSse = (headers.accept ?? '').includes('text/event-stream');
  const form = isSse ? SSE : LINES;
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, { ...plain(reply.getHeaders()), 'content-type': form.contentType });
  raw.flushHeaders();
  socket.setNoDelay(true);
  const write = (text: string) => {
    // A reader that stopped reading must not fill the daemon's memory.
    if (raw.writableLength > UNREAD_BYTES_MAX) raw.destroy();
    else raw.write(text);
  };
  const send = (event: NumberedEvent) => {
    if (job === undefined || event.job === job) write(form.event(event));
  };
  const last = isSse ? headers['last-event-id'] : undefined;
  const replay = typeof last === 'string' ? events.since(Number(last)) : undefined;
  if (replay?.isGap) write(SSE.gap);
  if (now !== undefined && (replay === undefined || replay.isGap)) write(form.first(now));
  for (const event of replay?.events ?? []) send(event);
  const leave = events.read(send);
  const beat = isSse ? setInterval(() => write(': still here\n\n'), heartbeatMs) : undefined;
  const end = () => {
    clearInterval(beat);
    leave();
  };
  if (raw.destroyed) end();
  else raw.once('close', end);
}

const SSE = {
  contentType: 'text/event-stream',
  event: ({ id, text }: NumberedEvent) => `id: ${id}\ndata: ${text}\n\n`,
  /** Not one of the numbered: a reader that comes back must not name it. */
  first: (event: JobEvent) => `data: ${JSON.stringify(event)}\n\n`,
  gap: 'event: gap\ndata: {"text":"events before these are forgotten; ask for the jobs anew"}\n\n',
};
const LINES = {
  contentType: 'application/x-ndjson',
  event: ({ text }: NumberedEvent) => `${text}\n`,
  first: (event: JobEvent) => `${JSON.stringify(event)}\n`,
};

/** Headers without those that are not set. */
const plain = (headers: ReturnType<FastifyReply['getHeaders']>) =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value] as const],
    ),
  );
