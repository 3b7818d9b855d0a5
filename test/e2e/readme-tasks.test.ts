/** Does what the README shows by task, with its own commands, to two nodes and a master. */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { until } from '../../bench/running.mjs'
import { root, type ServingNode, sha256, World } from './cli-world.js'

const readme = readFileSync(`${root}/README.md`, 'utf8')

/** The commands of a task, and what a file is to contain. */
function task(title: string): { readonly lines: readonly string[]; readonly file: string } {
  const section = new RegExp(`^### ${title}\\n([\\s\\S]*?)^##`, 'm').exec(readme)?.[1] ?? ''
  const lines = /^```sh\n([\s\S]*?)^```$/m.exec(section)?.[1]?.trim().split('\n') ?? []
  return { lines, file: /^```yaml\n([\s\S]*?)^```$/m.exec(section)?.[1] ?? '' }
}

let world: World
/** What an example stands for here: addresses, directories. */
const ours = new Map<string, string>()

function withOurs(line: string): string {
  return [...ours].reduce((text, [from, to]) => text.replaceAll(from, to), line)
}

const wordsOf = (line: string | undefined) =>
  withOurs(line ?? '')
    .replace(/^npx fr /, '')
    .split(' ')

/** Starts a node or a master as the README does, on a free port; its address is known from then. */
async function serve(line: string | undefined, data: string): Promise<ServingNode> {
  const at = /--listen (\S+)/.exec(line ?? '')?.[1] ?? ''
  const place = /--data (\S+)/.exec(line ?? '')?.[1] ?? ''
  mkdirSync(world.path(data), { recursive: true })
  const free = (line ?? '').replace(at, '127.0.0.1:0').replace(place, world.path(data))
  const words = wordsOf(free.replace('127.0.0.1:8080', '127.0.0.1:0'))
  const running = world.fr([...words, '--json'])
  await running.until('listening line', () => running.lines.length > 0)
  const address = String(running.lines[0]?.['address'])
  ours.set(at, address)
  return Object.assign(running, { address, data: world.path(data) })
}

async function run(line: string | undefined) {
  const ran = await world.run(wordsOf(line))
  expect({ line, status: ran.status, stderr: ran.status === 0 ? '' : ran.stderr }).toEqual({
    ...{ line, status: 0, stderr: '' },
  })
  return ran.stdout
}

const isThere = (node: ServingNode, name: string, content: Buffer) => {
  const path = `${node.data}/${name}`
  return existsSync(path) && sha256(readFileSync(path)) === sha256(content)
}

const fleet = task('Keep a fleet in step').lines
let one: ServingNode
let two: ServingNode

beforeAll(async () => {
  world = new World()
  await world.run(['keygen', '--out', 'fr.key'])
  one = await serve(fleet[0], 'one')
  two = await serve(fleet[1], 'two')
})
afterAll(() => world.close())

it('pushes a directory, and removes what the source no longer has', async () => {
  const { lines } = task('Push a directory')
  expect(lines).toHaveLength(1)
  mkdirSync(world.path('models/small'), { recursive: true })
  const large = world.file('models/large.bin', 100_000)
  const old = world.file('models/small/old.bin', 10)
  await run(lines[0])
  for (const node of [one, two]) expect(isThere(node, 'models/small/old.bin', old)).toBe(true)
  world.remove('models/small')
  await run(lines[0])
  for (const node of [one, two]) {
    expect(isThere(node, 'models/large.bin', large)).toBe(true)
    expect(existsSync(`${node.data}/models/small`)).toBe(false)
  }
})

it('keeps a fleet in step', async () => {
  expect(fleet).toHaveLength(4)
  const film = world.file('film.mp4', 100_000)
  await run(fleet[2])
  for (const node of [one, two])
    await until(() => isThere(node, 'film.mp4', film), `${node.address} has the film`)
  const found = await run(fleet[3])
  for (const { address } of [one, two]) expect(found).toContain(address)
})

it('follows a log', async () => {
  const { lines } = task('Follow a log')
  expect(lines).toHaveLength(2)
  writeFileSync(world.path('app.log'), 'one\n')
  const push = world.fr(wordsOf(lines[0]))
  const held = ['ls', one.address, '--key-file', 'fr.key']
  const isBegun = async () => (await world.run(held)).stdout.includes('app.log')
  await until(isBegun, 'the node has heard of the log')
  const reader = world.fr(wordsOf(lines[1]))
  await reader.until('what is there', () => reader.stdout === 'one\n')
  appendFileSync(world.path('app.log'), 'two\n')
  await reader.until('what came', () => reader.stdout === 'one\ntwo\n')
  push.kill('SIGINT')
  expect([await push.ended, await reader.ended]).toEqual([0, 0])
  for (const node of [one, two])
    expect(isThere(node, 'app.log', Buffer.from('one\ntwo\n'))).toBe(true)
})

it('serves', async () => {
  const { lines } = task('Serve')
  expect(lines).toHaveLength(3)
  mkdirSync(world.path('served'))
  const model = world.file('served/model.bin', 100_000)
  const node = await serve(lines[0], 'served')
  const door = String(node.lines[0]?.['http'])
  const isTaken = async () => (await fetch(`http://${door}/files/model.bin`)).ok
  await until(isTaken, 'what lies there is taken in')
  const shown = withOurs(lines[1] ?? '').replace('127.0.0.1:8080', door)
  const curl = world.start('bash', ['-c', shown])
  expect([await curl.ended, curl.stderr]).toEqual([0, expect.any(String)])
  expect(sha256(readFileSync(world.path('model.bin')))).toBe(sha256(model))
  await run(lines[2])
  expect(sha256(readFileSync(world.path('copy.bin')))).toBe(sha256(model))
})

it('runs a master', async () => {
  const { lines, file } = task('Run a master')
  expect(lines).toHaveLength(4)
  const path = world.path(/^# (\S+)/.exec(file)?.[1] ?? '')
  mkdirSync(dirname(path))
  writeFileSync(path, file)
  await serve(lines[0], 'master')
  const first = await serve(lines[1], 'first')
  const second = await serve(lines[2], 'second')
  const model = world.file('model.bin', 100_000)
  await run(`npx fr push model.bin --to ${first.address} --key-file fr.key`)
  await until(() => isThere(second, 'model.bin', model), 'the other node has the model')
  expect(await run(lines[3])).toContain('models')
})
