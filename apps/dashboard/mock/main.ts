import { startMock } from './server.ts';

const PORT = 7399;
const { url } = await startMock(PORT);
console.log(`made-up answers at ${url}`);
