import { ConfigError } from '@starling/core';

/** A place in an object store: `s3://bucket/prefix`. */
export interface Place {
  readonly bucket: string;
  /** Without slashes at its ends; empty for all of the bucket. */
  readonly prefix: string;
}

export const isObjectUrl = (place: string): boolean => place.startsWith('s3://');

/** @throws ConfigError for what is no `s3://bucket/prefix` */
export function placeOf(key: string, url: string): Place {
  const [, bucket, prefix = ''] = /^s3:\/\/([^/]+)(?:\/(.*))?$/.exec(url) ?? [];
  if (bucket === undefined) throw new ConfigError(key, `${url}: write it as s3://bucket/name`);
  return { bucket, prefix: prefix.replace(/^\/+|\/+$/g, '') };
}

const NAME = /^(?!\.{1,2}$)[^/\\\p{Cc}]+$/u;

/**
 * A name below a target, its folders with slashes between.
 * @throws ConfigError for one that would leave the target
 */
export function nameIn(target: string, name: string): string {
  if (name.split('/').every((part) => NAME.test(part))) return name;
  throw new ConfigError(target, `"${name}" is no name of a file below it`);
}
