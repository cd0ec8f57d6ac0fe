import { S3Client } from '@aws-sdk/client-s3';

const CONNECT_MS = 10_000;
const REQUEST_MS = 60_000;
/** Where no region is told; S3-compatible stores of one's own take any. */
const REGION = 'us-east-1';

/**
 * A client whose credentials come from the environment or the usual file, and the store's address
 * from `AWS_ENDPOINT_URL`. It tries once: whoever uses it knows what is worth another attempt.
 * @param requestMs until the answer begins, what is sent included
 */
export function createS3Client(requestMs = REQUEST_MS): S3Client {
  // What the next release will need is no news for whoever runs this one, whose version is fixed.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_REGION, AWS_DEFAULT_REGION } = process.env;
  const endpoint = AWS_ENDPOINT_URL_S3 ?? AWS_ENDPOINT_URL;
  return new S3Client({
    region: AWS_REGION ?? AWS_DEFAULT_REGION ?? REGION,
    // Stores of one's own have no name of a host for each bucket.
    ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
    // Checksums that are newer than Ceph's and others' idea of the protocol.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // We try again ourselves: the library does not where a body breaks off.
    maxAttempts: 1,
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      requestTimeout: requestMs,
      // Nothing moves on the connection.
      socketTimeout: REQUEST_MS,
      throwOnRequestTimeout: true,
    },
  });
}
