import type { Log, LogFields, PeerId } from '@starling/core';
import { type DestinationStream, type LoggerOptions, pino } from 'pino';
import { ecsFields, jsonFields, textFields, traceOf } from './log-fields.ts';
import { CENSORED, loggable, SECRET_PATHS } from './redaction.ts';

export const LOG_FORMATS = ['auto', 'text', 'json', 'ecs'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

export interface LogOptions {
  readonly level: string;
  /** `auto` is `text` where a person reads, and `json` where a program does. */
  readonly format: LogFormat;
  readonly version: string;
  /** Where lines go in place of standard error. */
  readonly destination?: DestinationStream | undefined;
  /** Whether a person reads; found out unless told. */
  readonly isTerminal?: boolean;
}

export interface ServiceLog extends Log {
  /** Whose lines these are; lines before it do not say. */
  identify(peer: PeerId): void;
}

const STDERR = 2;
const stderr = () => pino.destination({ dest: STDERR, sync: true });

/** Structured lines on standard error; standard output belongs to `--json`. */
export async function createLog(options: LogOptions): Promise<ServiceLog> {
  const { level, version, destination, isTerminal = process.stderr.isTTY === true } = options;
  const format = formatOf(options.format, isTerminal);
  let peer: PeerId | undefined;
  const shared = { level, redact: { paths: [...SECRET_PATHS], censor: CENSORED } };
  const lines = pino(
    { ...shared, ...(await formatting(format, version, () => peer)) },
    destination ?? (format === 'text' ? await prettily() : stderr()),
  );
  const shown = (fields: LogFields): LogFields => {
    const safe = loggable(fields) as LogFields;
    if (format === 'text') return textFields(safe);
    const ids = traceOf(safe, peer);
    return format === 'ecs' ? ecsFields(safe, ids) : jsonFields(safe, ids);
  };
  const writer = (name: 'debug' | 'info' | 'warn' | 'error') => {
    return (message: string, fields: LogFields = {}): void => {
      if (lines.isLevelEnabled(name)) lines[name](shown(fields), message);
    };
  };
  return {
    ...{ debug: writer('debug'), info: writer('info') },
    ...{ warn: writer('warn'), error: writer('error') },
    identify: (named) => {
      peer = named;
    },
  };
}

/** Node prints its warnings as plain text, which no reader of lines of JSON expects. */
export function takeWarnings(log: Log): void {
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => log.warn(message, { warning: name }));
}

function formatOf(format: LogFormat, isTerminal: boolean): Exclude<LogFormat, 'auto'> {
  if (format !== 'auto') return format;
  return isTerminal ? 'text' : 'json';
}

async function formatting(
  format: LogFormat,
  serviceVersion: string,
  peer: () => PeerId | undefined,
): Promise<LoggerOptions> {
  if (format !== 'ecs') return { base: null };
  // Loaded here, like the other: who does not ask for it does not wait for it.
  const library = await import('@elastic/ecs-pino-format');
  // Of a bundle's CommonJS only the default export is there.
  const { ecsFormat } = library.default;
  const service = { serviceName: 'starling', serviceVersion, apmIntegration: false };
  const mixin = (): object => {
    const name = peer();
    return name === undefined ? {} : { 'service.node.name': name };
  };
  return { ...ecsFormat(service), mixin };
}

async function prettily(): Promise<DestinationStream> {
  const { default: pretty } = await import('pino-pretty');
  const colorize = process.stderr.isTTY === true && !process.env['NO_COLOR'];
  const ignore = 'pid,hostname';
  const translateTime = 'SYS:HH:MM:ss.l';
  return pretty({ colorize, ignore, translateTime, singleLine: true, sync: true, destination: 2 });
}
