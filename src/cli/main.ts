#!/usr/bin/env node
/**
 * The entry of `fr`. It loads the program, which scripts/bundle.mjs has joined from ./start.js and
 * all that it imports, in a `try`, so that a process that may open no more files can say so in one
 * line. The exit status is set, never forced: the process ends when everything is closed. Only a
 * second signal or an uncaught exception ends it at once.
 */
import { createRequire } from 'node:module'
import { setFlagsFromString } from 'node:v8'
import { lastWords } from './render/last-words.js'

const say = (error: unknown): void => void process.stderr.write(`fr: ${lastWords(error)}\n`)

process.on('uncaughtException', (error) => {
  say(error)
  process.exit(1)
})

// A command lasts seconds: to optimise code as early as V8 11 (Node 20) does by default costs more
// than it saves, a quarter of the processor time of a push of many small files. Newer ones optimise
// in cheaper steps first, and do not know the flag.
if (process.versions.v8.startsWith('11.')) setFlagsFromString('--interrupt-budget=1000000')

try {
  const { start } = createRequire(import.meta.url)('./joined.cjs') as typeof import('./start.js')
  process.exitCode = await start(process.argv.slice(2))
} catch (error) {
  say(error)
  process.exitCode = 1
}
