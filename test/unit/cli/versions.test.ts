/** What of versions is said on the command line. */
import { describe, expect, it } from 'vitest'
import { parseCommandLine } from '../../../src/cli/program.js'

const command = (line: string) => {
  const parsed = parseCommandLine(line.split(' '), '1.2.3')
  if (parsed.kind !== 'run') throw new Error(parsed.text)
  return parsed.command
}

describe('versions on the command line', () => {
  it('are kept by nodes, and by pushes', () => {
    const node =
      'node --listen [::] --data d --keep 3 --max-space 1GiB --max-age 2d --min-versions 2'
    const kept = { keep: 3, maxSpaceBytes: 2 ** 30, maxAgeSeconds: 172_800, minVersions: 2 }
    expect(command(node)).toMatchObject(kept)
    expect(command('push a --to h --keep 4')).toMatchObject({ keep: 4 })
    const two = { addresses: ['h:1', 'i:2'], name: 'a@-2' }
    expect(command('rollback h:1,i:2 a@-2')).toMatchObject(two)
    expect(command('rollback --nodes f m/a')).toMatchObject({ nodesFile: 'f', name: 'm/a' })
    for (const bad of ['rollback a', 'rollback --nodes f', 'rollback --nodes f h a'])
      expect(() => command(bad)).toThrow()
    for (const bad of ['push a --to h --keep 65', 'node --listen [::] --relay-only --keep 1'])
      expect(() => command(bad)).toThrow()
  })

  it('are switched to by all nodes together, by pushes and on the way back', () => {
    expect(command('push a --to h --commit quorum')).toMatchObject({ commit: 'quorum' })
    const back = 'rollback h:1,h:2 m@4f1c22'
    expect(command(`${back} --commit all --timeout 2m`)).toEqual({
      ...{ command: 'rollback', addresses: ['h:1', 'h:2'], name: 'm@4f1c22', json: false },
      ...{ commit: 'all', timeoutMs: 120_000 },
    })
    expect(command('rollback h m --force abort')).toMatchObject({ force: 'abort' })
    for (const bad of [
      'push a --to h --commit some',
      `${back} --commit all --force abort`,
      `${back} --timeout 2m`,
      `${back} --force`,
    ])
      expect(() => command(bad)).toThrow()
  })
})
