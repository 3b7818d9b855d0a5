#!/usr/bin/env node
/**
 * The entry of `fr`. The program itself is loaded behind a catch, so that a process which may open
 * no more files still says why in one line. The exit status is set, never forced: the process ends
 * when everything is closed; only a second signal and an uncaught exception end it at once.
 */
import { lastWords } from './render/last-words.js'

const say = (error: unknown): void => void process.stderr.write(`fr: ${lastWords(error)}\n`)

process.on('uncaughtException', (error) => {
  say(error)
  process.exit(1)
})

try {
  const { start } = await import('./start.js')
  process.exitCode = await start(process.argv.slice(2))
} catch (error) {
  say(error)
  process.exitCode = 1
}
