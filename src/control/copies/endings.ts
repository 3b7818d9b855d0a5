/** How a copy ended whose target has not told of its end. */
import type { Ended } from '../messages/mastering.js'
import { allBlamed } from './components.js'

export const silent: Ended = { bytes: 0, cause: 'silent', blames: allBlamed }

/** Its target was told to make it, and does not. */
export const forgotten: Ended = { bytes: 0, cause: 'forgotten', blames: [] }
