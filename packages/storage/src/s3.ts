/** What any reader or writer of S3-compatible stores needs. */
export { attempted, type Patience } from './attempts.ts';
export { createS3Client } from './s3-client.ts';
export { isNoCredentials, S3_REMEDIES } from './s3-failures.ts';
