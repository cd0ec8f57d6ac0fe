import { afterAll, beforeAll, vi } from 'vitest';
import { runTargetCompliance } from '../../../test/compliance/target.ts';
import { type S3Server, startS3Server } from '../../../test/helpers/s3-server.ts';
import { temporaryDirectory } from '../../../test/helpers/temporary.ts';
import { openTarget } from './index.ts';

let server: S3Server;
beforeAll(async () => {
  server = await startS3Server('writer');
  server.buckets.names.add('lake');
  vi.stubEnv('AWS_ENDPOINT_URL', server.endpoint);
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'writer');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await server.close();
});

const nothing = async (): Promise<void> => {};

runTargetCompliance('folder', async () => {
  const folder = await temporaryDirectory();
  const reopen = () => openTarget('output', folder);
  return { target: await reopen(), reopen, close: nothing };
});

let count = 0;
runTargetCompliance('S3', async () => {
  const place = `s3://lake/place-${++count}`;
  const reopen = () => openTarget('output', place);
  return { target: await reopen(), reopen, close: nothing };
});
