import { S3ServiceException } from '@aws-sdk/client-s3';
import { ConfigError, errorMessage } from '@starling/core';

const KEYS = 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE';
const FULL = 'Make room there, or ask for a larger quota';
const RIGHTS = 's3:GetObject, s3:PutObject, s3:DeleteObject, s3:ListBucket';

/** What to do about an error of a store, by its name. */
export const S3_REMEDIES: Readonly<Record<string, string>> = {
  NoSuchBucket: 'Look at the name of the bucket, and at AWS_ENDPOINT_URL for a store of your own',
  NoSuchKey: 'Look at the name, for instance with `aws s3 ls`',
  AccessDenied: `Ask for the permissions ${RIGHTS}, s3:AbortMultipartUpload and s3:ListMultipart*`,
  InvalidAccessKeyId: KEYS,
  SignatureDoesNotMatch: 'Look at AWS_SECRET_ACCESS_KEY, and at the clock of this machine',
  RequestTimeTooSkewed: 'Set the clock of this machine',
  PermanentRedirect: 'The bucket is in another region: set AWS_REGION',
  QuotaExceeded: FULL,
  InsufficientStorage: FULL,
  XMinioStorageFull: FULL,
  EntityTooLarge: 'The store takes no object of this size',
};

/** The library found no credentials, in the environment or in a file. */
export const isNoCredentials = (error: unknown): boolean =>
  !(error instanceof S3ServiceException) && /credential/i.test(errorMessage(error));

/** What a store said by a status without a body, as it does to HEAD. */
const BY_STATUS: Readonly<Record<number, string>> = {
  403: 'AccessDenied',
  404: 'NoSuchKey',
  507: 'InsufficientStorage',
};

/** The name of what a store answered, whatever the request; undefined for another failure. */
export function s3ErrorName(error: unknown): string | undefined {
  if (!(error instanceof S3ServiceException)) return undefined;
  if (error.name in S3_REMEDIES) return error.name;
  return BY_STATUS[error.$metadata.httpStatusCode ?? 0] ?? error.name;
}

/**
 * A failure of a store in words, with what to do next.
 * @param key what it was needed for
 */
export const explained =
  (key: string, where: string, later: string) =>
  (error: unknown, tried: number): ConfigError => {
    if (error instanceof ConfigError) return error;
    if (isNoCredentials(error)) {
      const hint = 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write ~/.aws/credentials';
      return new ConfigError(key, `${where}: no credentials`, hint);
    }
    const name = s3ErrorName(error);
    const times = tried === 1 ? '' : ` (${tried} attempts)`;
    const message = errorMessage(error);
    const told = name === undefined || message.includes(name) ? message : `${name}: ${message}`;
    return new ConfigError(key, `${where}: ${told}${times}`, S3_REMEDIES[name ?? ''] ?? later);
  };
