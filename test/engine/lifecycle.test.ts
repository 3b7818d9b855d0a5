/**
 * How processes with an engine end: by themselves, by process.exit, by an exception, by a signal,
 * with workers cut off in mid-stream, without any close. Each in a process of its own
 * (lifecycle-child.mjs), which must end in time and with the status asked for: never by an abort.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { Running } from '../../bench/running.mjs'
import { engines } from './engines.js'
import { roots } from './world.js'

const child = fileURLToPath(new URL('lifecycle-child.mjs', import.meta.url))
/** Under a sanitizer: a shell does not run beside TSan, and UBSan needs a descriptor to spare. */
const isSanitized = process.env['FR_PLANTED'] !== undefined
const deadlineMs = 40_000 * Number(process.env['FR_SLOW'] ?? 1)

interface Ending {
  readonly mode: string
  readonly code?: number
  readonly signal?: NodeJS.Signals
  /** Sent when the child says that it is in mid-stream. */
  readonly send?: NodeJS.Signals
  /** What it must say on its standard error. */
  readonly says?: RegExp
  /** At most this many, while it runs. */
  readonly descriptors?: number
  /** Open sockets of node:net keep a process alive: only the native engine may be left open. */
  readonly onlyNative?: boolean
}

const endings: readonly Ending[] = [
  { mode: 'closed' },
  { mode: 'closed in a callback' },
  { mode: 'natural end', onlyNative: true },
  { mode: 'forgotten engines' },
  { mode: 'more engines than there are descriptors', descriptors: 64, onlyNative: true },
  { mode: 'files beyond the limit', descriptors: 64 },
  { mode: 'process.exit in a callback', code: 7 },
  { mode: 'throw in a callback', code: 1, says: /thrown by a listener/ },
  { mode: 'throw in a callback, caught by the process' },
  { mode: 'SIGTERM', send: 'SIGTERM', signal: 'SIGTERM' },
  { mode: 'SIGTERM, handled', send: 'SIGTERM' },
  { mode: 'restarts' },
  { mode: 'workers terminated' },
  { mode: 'workers that end by themselves' },
]

/** Node with these arguments, in a shell that limits its descriptors where that is asked for. */
function start(args: readonly string[], descriptors: number | undefined): Running {
  const node = process.execPath
  if (descriptors === undefined) return new Running(node, args)
  const limited = ['-c', `ulimit -n ${descriptors}; exec "$0" "$@"`, node, ...args]
  return new Running('sh', limited)
}

async function live(kind: string, ending: Ending): Promise<[string, number | string]> {
  const root = mkdtempSync(join(roots[0] as string, 'fr-life-'))
  try {
    const running = start(['--expose-gc', child, kind, ending.mode, root], ending.descriptors)
    running.child.stdout?.on('data', () => {
      if (ending.send !== undefined) running.kill(ending.send)
    })
    const hung = setTimeout(() => running.kill(), deadlineMs)
    const end = await running.ended
    clearTimeout(hung)
    return [running.stderr, end]
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

describe.each(engines)('$kind engine: a process ends', ({ kind }) => {
  const chosen = endings.filter(
    ({ onlyNative, descriptors }) =>
      (kind === 'native' || onlyNative !== true) && !(isSanitized && descriptors !== undefined),
  )

  it.each(chosen)('$mode', async (ending) => {
    const [said, end] = await live(kind, ending)
    expect(end, said).toBe(ending.signal ?? ending.code ?? 0)
    if (ending.says === undefined) expect(said).toBe('')
    else expect(said).toMatch(ending.says)
  })
})
