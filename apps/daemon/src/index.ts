/** What the command line needs to know of the daemon without loading it. */
export {
  type Config,
  type ConfigInput,
  configFileOf,
  configSchema,
  loadConfig,
  ownConfigFile,
  parseConfig,
} from './config.ts';
export * from './demo-messages.ts';
export { type OwnProbe, openOwnProbe } from './own-probe.ts';
export { VERSION } from './version.ts';
