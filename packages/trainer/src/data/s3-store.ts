import type { FileStore } from './file-store.ts';
export async function openS3Store(path: string): Promise<FileStore> {
  throw new Error(path);
}
