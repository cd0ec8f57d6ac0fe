/**
 * Files that people and other programs read: in folders, shared ones too, and in object stores.
 * What speaks S3 is in `@starling/storage/s3`, and loaded only where somebody wants it.
 */
export { writeWhole } from './folder-files.ts';
export { isObjectUrl, nameIn, type Place, placeOf } from './place.ts';
export { openTarget, type PutOptions, type PutOutcome, type Target } from './target.ts';
