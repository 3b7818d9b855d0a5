/** Trees of files: made, changed, and looked at entry by entry. */
import { createHash } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { MIB } from '../../src/base/limits.js'

/** Has every kind of entry there is. Returns its path. */
export function makeTree(path: string): string {
  const at = (...names: string[]): string => join(path, ...names)
  mkdirSync(at('deep', 'er'), { recursive: true })
  mkdirSync(at('empty'))
  mkdirSync(at('locked'))
  for (let i = 0; i < 30; i++) writeFileSync(at('deep', `f${i}`), `${i}`.repeat(1 + 997 * i))
  writeFileSync(at('deep', 'er', 'zero'), '')
  writeFileSync(at('tool'), '#!/bin/sh\n')
  chmodSync(at('tool'), 0o755)
  writeFileSync(at('locked', 'in'), 'in')
  chmodSync(at('locked', 'in'), 0o400)
  writeFileSync(at('large'), Buffer.alloc(5 * MIB, 'large'))
  const sparse = openSync(at('sparse'), 'w')
  ftruncateSync(sparse, 3 * MIB)
  writeSync(sparse, 'end', 2 * MIB)
  closeSync(sparse)
  symlinkSync('../tool', at('deep', 'link'))
  symlinkSync('nowhere', at('dangling'))
  linkSync(at('tool'), at('deep', 'tool again'))
  writeFileSync(Buffer.concat([Buffer.from(`${path}/b`), Buffer.of(0xff, 0xfe)]), 'bytes')
  utimesSync(at('deep', 'f3'), 1_000_000_000, 1_000_000_000.25)
  utimesSync(at('deep', 'er'), 1_100_000_000, 1_100_000_000)
  utimesSync(at('empty'), 1_200_000_000, 1_200_000_000)
  chmodSync(at('locked'), 0o555)
  return path
}

/**
 * One line for each entry, by name: kind, mode, time in seconds (Node sets nanoseconds only
 * nearly), and content or target.
 */
export function treeLines(path: string): string[] {
  const inodes = new Map<number, string>()
  const lines: string[] = []
  const visit = (name: Buffer): void => {
    const whole = Buffer.concat([Buffer.from(path), name])
    const found = lstatSync(whole)
    const shown = name.toString('latin1')
    const mode = (found.mode & 0o7777).toString(8)
    if (found.isSymbolicLink()) {
      lines.push(`${shown} -> ${readlinkSync(whole)}`)
      return
    }
    const about = `${shown} ${mode} ${Math.floor(found.mtimeMs / 1000)}`
    if (found.isDirectory()) {
      lines.push(`${about} directory`)
      const names = readdirSync(whole, { encoding: 'buffer' }).sort(Buffer.compare)
      for (const one of names) visit(Buffer.concat([name, Buffer.from('/'), one]))
      return
    }
    const first = inodes.get(found.ino)
    inodes.set(found.ino, first ?? shown)
    const digest = createHash('sha256').update(readFileSync(whole)).digest('hex')
    lines.push(`${about} ${found.size} ${digest}${first === undefined ? '' : ` is ${first}`}`)
  }
  visit(Buffer.alloc(0))
  return lines
}
