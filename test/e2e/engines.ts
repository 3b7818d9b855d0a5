/** On which engines an end-to-end test runs. */
export type EngineKind = 'native' | 'portable'

const ofPlatform: EngineKind[] =
  process.platform === 'linux' ? ['portable', 'native'] : ['portable']

/** For what an engine could get wrong: bytes, files, figures, its own limits. */
export const engines: readonly EngineKind[] = ofPlatform

/**
 * For what is decided above the engines, and is the same on each: the one that is used by default.
 * `npm run test:engines` runs it on the others, too.
 */
export const usualEngines: readonly EngineKind[] =
  process.env['FR_ALL_ENGINES'] === '1' ? ofPlatform : ofPlatform.slice(-1)
