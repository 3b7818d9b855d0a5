/** `fr get` as a user runs it: nodes that a push has reached, and what the command prints. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { until } from '../../bench/running.mjs'
import { listOf, MIB, type ServingNode, World } from './cli-world.js'
import { holdingBack } from './get-support.js'

let world: World
let nodes: readonly [ServingNode, ServingNode]
let content: Buffer
const text = 'a line\n'.repeat(30_000)
const closers: (() => unknown)[] = []

beforeAll(async () => {
  world = new World()
  nodes = await world.nodes(2)
  content = world.file('source', 32 * MIB)
  writeFileSync(join(world.directory, 'lines'), text)
  for (const args of [['source', '--as', 'dir/big.bin'], ['lines']]) {
    const pushed = await world.run(['push', ...args, '--to', listOf(nodes), '--quiet'])
    expect(pushed).toMatchObject({ status: 0, stderr: '' })
  }
})

afterAll(async () => {
  for (const close of closers) close()
  await world.close()
})

const at = (name: string): string => join(world.directory, name)

it('fetches a file under its own name, and says who brought how much', async () => {
  const got = await world.run(['get', 'dir/big.bin', '--from', listOf(nodes), '--json'])
  expect(got.status).toBe(0)
  expect(readFileSync(at('big.bin')).equals(content)).toBe(true)
  const events = got.lines.map(({ event }) => event)
  expect(events.at(-1)).toBe('result')
  expect(new Set(events.slice(0, -1))).toEqual(new Set(['progress']))
  const result = got.lines.at(-1) as { from: { holder: string; bytes: number }[]; digest: string }
  expect(result).toMatchObject({ name: 'dir/big.bin', output: 'big.bin', bytes: content.length })
  expect(result.from.map(({ holder }) => holder)).toEqual(nodes.map(({ address }) => address))
  expect(result.from.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(content.length)
  expect(got.stderr).toContain(`digest ${result.digest}`)
})

it('fetches into a directory, where the output ends with a slash', async () => {
  mkdirSync(at('into'))
  const got = await world.run(['get', 'lines', '--from', nodes[1].address, '-o', 'into/', '--json'])
  expect(got.lines.at(-1)).toMatchObject({ event: 'result', output: 'into/lines' })
  expect(readFileSync(at('into/lines'), 'utf8')).toBe(text)
})

it('writes to standard output', async () => {
  const got = await world.run(['get', 'lines', '--from', nodes[1].address, '-o', '-'])
  expect(got).toMatchObject({ status: 0, stdout: text })
  expect(got.stderr).toContain('on standard output')
  const range = ['get', 'lines', '--from', listOf(nodes), '-o', '-', '--range', '2-5']
  expect(await world.run(range)).toMatchObject({ status: 0, stdout: 'line' })
})

it('refuses what cannot be, by name', async () => {
  writeFileSync(at('there'), 'before')
  const get = (...args: string[]) =>
    world.run(['get', 'lines', '--from', nodes[0].address, ...args])
  const there = await get('-o', 'there')
  expect(there).toMatchObject({ status: 1, stderr: expect.stringContaining('ERR_FR_EXISTS') })
  expect(readFileSync(at('there'), 'utf8')).toBe('before')
  expect(await get('-o', 'there', '--force')).toMatchObject({ status: 0 })
  expect(readFileSync(at('there'), 'utf8')).toBe(text)
  const beyond = await get('-o', 'beyond', '--range', `0-${text.length}`)
  expect(beyond).toMatchObject({ status: 1, stderr: expect.stringContaining('ERR_FR_RANGE') })
  for (const wrong of [
    ['--range', '5-2'],
    ['--range', 'a'],
    ['-o', ''],
    ['-o', '-', '--json'],
  ])
    expect(await get(...wrong), wrong.join(' ')).toMatchObject({ status: 2, stdout: '' })
  expect(await world.run(['get', 'lines'])).toMatchObject({ status: 2 })
  const none = await world.run(['get', 'none', '--from', listOf(nodes), '-o', 'none', '--json'])
  expect(none.status).toBe(1)
  expect(none.lines.at(-1)).toMatchObject({ event: 'error', code: 'ERR_FR_NOT_HELD' })
  expect(existsSync(at('none'))).toBe(false)
})

it('goes on after it was killed', async () => {
  const closing = { defer: (close: () => unknown) => void closers.push(close) }
  const door = await holdingBack(closing, nodes[0].address, 16 * MIB)
  const args = ['get', 'dir/big.bin', '-o', 'again', '--json']
  const killed = world.fr([...args, '--from', door.address])
  await until(
    () => killed.lines.some(({ verifiedBytes }) => (verifiedBytes as number) >= 8 * MIB),
    'a half is there',
  )
  killed.kill('SIGKILL')
  await killed.ended
  expect(readdirSync(world.directory)).toContain('.again.fr-get')
  const got = await world.run([...args, '--from', listOf(nodes)])
  expect(got.status).toBe(0)
  const { foundBytes, from } = got.lines.at(-1) as { foundBytes: number; from: { bytes: number }[] }
  expect(foundBytes).toBeGreaterThanOrEqual(8 * MIB)
  const brought = from.reduce((sum, { bytes }) => sum + bytes, 0)
  expect(brought).toBe(content.length - foundBytes)
  expect(readFileSync(at('again')).equals(content)).toBe(true)
  expect(readdirSync(world.directory)).not.toContain('.again.fr-get')
})

it('fetches a tree, goes on with it after it was killed, and fetches what matches', async () => {
  mkdirSync(at('site/in'), { recursive: true })
  writeFileSync(at('site/in/small'), text)
  copyFileSync(at('source'), at('site/large'))
  const pushed = await world.run(['push', 'site', '--to', nodes[0].address, '--quiet'])
  expect(pushed).toMatchObject({ status: 0, stderr: '' })
  const closing = { defer: (close: () => unknown) => void closers.push(close) }
  const door = await holdingBack(closing, nodes[0].address, 16 * MIB)
  const args = ['get', 'site', '-o', 'got', '--json']
  const killed = world.fr([...args, '--from', door.address])
  await until(
    () => killed.lines.some(({ verifiedBytes }) => (verifiedBytes as number) >= 8 * MIB),
    'the small file and a part of the large one are there',
  )
  killed.kill('SIGKILL')
  await killed.ended
  expect(existsSync(at('got'))).toBe(false)
  const got = await world.run([...args, '--from', nodes[0].address])
  expect(got.lines.at(-1)).toMatchObject({
    ...{ event: 'result', output: 'got', digest: null, foundBytes: text.length },
    tree: { entries: 4, files: 2, isWhole: true, failedCount: 0, failures: [] },
  })
  expect(readFileSync(at('got/in/small'), 'utf8')).toBe(text)
  expect(readFileSync(at('got/large')).equals(content)).toBe(true)
  expect(readdirSync(world.directory).filter((name) => name.startsWith('.got'))).toEqual([])
  const some = await world.run(['get', 'site/in/*', '--from', nodes[0].address, '-o', 'some'])
  expect(some).toMatchObject({ status: 0, stderr: expect.stringContaining('1 entry') })
  expect(readFileSync(at('some/site/in/small'), 'utf8')).toBe(text)
})
