import { sweep } from './sweep.ts';
console.log(JSON.stringify(await sweep(), null, 1));
