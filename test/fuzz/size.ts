/** Whether the tests run in the size that takes minutes: `npm run test:full`. */
export const isFull = process.env['STARLING_TEST_SIZE'] === 'full';
