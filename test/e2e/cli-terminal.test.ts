/** The screens of two terminals while a push loses one node and never reaches another. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Screen } from '../screen.js'
import { copyDigest, MIB, type ServingNode, sha256, World } from './cli-world.js'
import { type Door, holdingDoor } from './door.js'
import { startOnTerminal } from './on-terminal.js'

const endOfDrawing = '\u001b[J'
const header = /^ {0,2}\d{1,3}% {2}ETA /

let world: World
let nodes: ServingNode[]
let doors: Door[]
beforeEach(async () => {
  world = new World()
  nodes = await world.nodes(3)
  // Neither can be complete before the doors open.
  doors = await Promise.all(nodes.slice(1).map(({ address }) => holdingDoor(address, 4 * MIB)))
})
afterEach(async () => {
  for (const door of doors) door.close()
  await world.close()
})

describe.each([
  [80, 24],
  [120, 40],
])('on %d columns and %d rows', (columns, rows) => {
  it('the live display is never torn, and leaves a table that fits', async () => {
    const content = world.file('live.bin', 16 * MIB)
    const [good, killed] = nodes as [ServingNode, ServingNode]
    const [lost, held] = doors as [Door, Door]
    const to = [good.address, lost.address, held.address, '127.0.0.1:1']
    const options = ['--retries', '0', '--connect-timeout', '4s', '--silence', '6s']
    const push = ['push', 'live.bin', ...options, '--to', to.join()]
    const run = startOnTerminal(world, { columns, rows }, push)
    const drawings = () => run.stdout.split(endOfDrawing).length
    await run.until('display', () => held.isHolding() && drawings() > 3)
    killed.kill('SIGKILL')
    await run.until('line about it', () => run.stdout.includes(`${lost.address} failed after`))
    const before = drawings()
    await run.until('display after that', () => drawings() > before + 1)
    held.open()
    expect([await run.ended, run.stderr]).toEqual([3, ''])
    expect(copyDigest(good, 'live.bin')).toBe(sha256(content))

    const screen = new Screen(columns, rows)
    const drawn = run.stdout.split(endOfDrawing)
    const last = drawn.pop() ?? ''
    let shown = 0
    for (const each of drawn) {
      screen.write(each + endOfDrawing)
      const lines = screen.lines
      const first = lines.findIndex((line) => header.test(line))
      if (first < 0) continue
      shown++
      const below = lines.slice(first + 1)
      expect(below.map((line) => line.split(' ')[0])).toEqual([...to, ''])
    }
    expect(shown).toBeGreaterThan(3)
    screen.write(last)
    const text = screen.lines
    expect(text.filter((line) => header.test(line))).toEqual([])
    expect(text.join('\n')).toMatch(/^live\.bin: 16\.0 MiB to \d nodes?, adaptive \w+$/m)
    expect(text.find((line) => line.startsWith('node '))).toMatch(/^node +status +seconds .*rate$/)
    expect(text.join('\n')).toMatch(
      /^1 node failed: ERR_FR_UNREACHABLE: [^,]*\n {2}127\.0\.0\.1:1$/m,
    )
    expect(text.join('\n')).toMatch(/^2 of 4 nodes complete in /m)
    for (const line of text) expect(line.length).toBeLessThanOrEqual(columns - 1)
  })
})
