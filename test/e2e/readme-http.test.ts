/** Runs the commands at the head of docs/http.md: its addresses, names and values that exist. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { copyDigest, main, root, type ServingNode, sha256, World } from './cli-world.js'

const section = /^## By task\n([\s\S]*?)^## /m.exec(readFileSync(`${root}/docs/http.md`, 'utf8'))
const blocks = (section?.[1] ?? '').matchAll(/^```sh\n([\s\S]*?)^```$/gm)
const [start = '', tasks = ''] = [...blocks].map((match) => match[1])
const [command = '', first = ''] = start.split('\n')

let world: World
let node: ServingNode
let other: ServingNode
let http = ''

/** The command in a shell, as it is but for addresses and how `fr` is started. */
async function shell(line: string, values: Readonly<Record<string, string>> = {}): Promise<string> {
  let text = line.replaceAll('127.0.0.1:8080', http).replaceAll('10.0.0.3:7400', other.address)
  for (const [name, value] of Object.entries(values)) text = text.replaceAll(name, value)
  const fr = `npx() { shift; "${process.execPath}" "${main}" "$@"; }`
  const token = 'TOKEN=$(npx fr token --key-file fr.key)'
  const running = world.start('bash', ['-c', `${fr}\n${token}\n${text}`])
  const status = await running.ended
  expect({ line, status, stderr: status === 0 ? '' : running.stderr }).toEqual({
    ...{ line, status: 0, stderr: '' },
  })
  return running.stdout
}

const task = (about: string): string => {
  const found = new RegExp(`^# ${about}.*\n(.*)$`, 'm').exec(tasks)?.[1]
  if (found === undefined) throw new Error(`docs/http.md has no task '${about}'`)
  return found
}

beforeAll(async () => {
  world = new World()
  await world.run(['keygen', '--out', 'fr.key'])
  other = await world.node('other', ['--key-file', world.path('fr.key')], { FR_KEY: undefined })
  const words = command
    .replace('npx fr ', '')
    .replace('10.0.0.2:7400', '127.0.0.1:0')
    .replace('127.0.0.1:8080', '127.0.0.1:0')
    .replace('/srv/data', world.path('data'))
    .split(' ')
  const running = world.fr([...words, '--json'], { env: { FR_KEY: undefined } })
  await running.until('listening line', () => running.lines.length > 0)
  const { address, http: door } = running.lines[0] as Record<string, string>
  node = Object.assign(running, { address: String(address), data: world.path('data') })
  http = String(door)
})
afterAll(() => world.close())

it('does each task of docs/http.md', async () => {
  expect(JSON.parse(await shell(first))).toMatchObject({ event: 'status', node: node.address })
  const model = world.file('model.bin', 300_000)
  const film = world.file('film.mp4', 100_000)
  const sent = JSON.parse(await shell(task('send a file in:')))
  expect(sent).toMatchObject({ state: 'complete', name: 'models/model.bin' })
  expect(copyDigest(node, 'models/model.bin')).toBe(sha256(model))
  const published = JSON.parse(await shell(task('send it in for all nodes')))
  expect(published).toMatchObject({ kind: 'publish', state: 'complete', name: 'film.mp4' })
  expect(copyDigest(node, 'film.mp4')).toBe(sha256(film))
  const { items } = JSON.parse(await shell(task('what the node holds')))
  expect(items.map(({ name }: { name: string }) => name)).toEqual(['models/model.bin'])

  await shell(task('send a file in:').replace('models/', ''))
  const copy = task('have the node put a file')
  const begun = JSON.parse(await shell(copy))
  expect(JSON.parse(await shell(copy)).id).toBe(begun.id)
  const events = await shell(task('watch it to its end'), { ID: begun.id })
  expect(events.match(/^event: \w+$/gm)?.at(-1)).toBe('event: end')
  expect(events).toContain('"state":"complete"')
  expect(copyDigest(other, 'model.bin')).toBe(sha256(model))

  await shell(`rm model.bin; ${task('read a file')}`)
  expect(sha256(readFileSync(world.path('model.bin')))).toBe(sha256(model))
  mkdirSync(world.path('tiny'))
  writeFileSync(world.path('tiny', 'config.json'), '{"model_type":"tiny"}')
  await shell(`npx fr push tiny --as team/tiny --to ${node.address} --key-file fr.key`)
  const read = await shell(task('read a file of a directory'))
  expect(JSON.parse(read)).toEqual({ model_type: 'tiny' })
  const limited = JSON.parse(await shell(task('give all transfers')))
  expect(limited).toMatchObject({ upBytesPerSecond: 12_500_000 })
  expect(JSON.parse(await shell(task('remove a file')))).toMatchObject({ event: 'removed' })
  expect(copyDigest(node, 'models/model.bin')).toBeNull()
  expect(JSON.parse(await shell(task('all of it')))).toMatchObject({ openapi: '3.1.0' })
})
