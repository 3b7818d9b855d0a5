/** The version of this package, as package.json has it. */
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

export const version: string = (require('../../package.json') as { version: string }).version
