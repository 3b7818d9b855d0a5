/** Files that come in by FTP, where that is allowed. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { Client } from 'basic-ftp'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Running } from '../../bench/running.mjs'
import { generateKey, push } from '../../src/api/index.js'
import { httpToken } from '../../src/api/keys.js'
import { openFtpDoor } from '../../src/doors/ftp/index.js'
import { sha256Of } from '../../src/doors/tokens.js'
import { RawFtp } from './ftp-support.js'
import { until, World, type WorldNode } from './push-support.js'

const world = new World('native')
const key = generateKey()
const author = 'a-token-of-an-author'
let node: WorldNode
let address: string
let path: string
let content: Buffer

beforeAll(async () => {
  node = await world.node({ key, attributes: { site: 'here' } })
  const tokens = join(world.dir, 'tokens')
  const lines = [`${sha256Of(author)} author push in/**, get **, status`, '* get **']
  writeFileSync(tokens, `${lines.join('\n')}\n`, { mode: 0o600 })
  const door = await openFtpDoor(node, { listen: '127.0.0.1:0', key, tokens, uploads: true })
  world.defer(() => door.close())
  address = door.address
  const file = world.file('f.bin', 3_000_001)
  path = file.path
  content = file.content
  await push(Buffer.from('held'), { to: [node.address], key, as: 'in/held' }).result
})
afterAll(() => world.dispose())

const held = (name: string): Buffer => readFileSync(join(node.dataDir, name))
const run = (program: string, ...args: readonly string[]): Promise<void> =>
  new Running(program, args).succeed(program)

it('curl, lftp and basic-ftp store files and directories', async () => {
  const at = `ftp://${address}`
  await run('curl', '-sS', '-u', `me:${author}`, '-T', path, '--ftp-create-dirs', `${at}/in/a/b/f`)
  expect(held('in/a/b/f').equals(content)).toBe(true)
  const tree = join(world.dir, 'tree')
  mkdirSync(join(tree, 'sub'), { recursive: true })
  writeFileSync(join(tree, 'sub', 'two'), 'two')
  const work = `mirror -R --no-perms ${tree} in/tree; put -O in ${path}; bye`
  const settings = 'set net:max-retries 2; set cmd:fail-exit true'
  await run('lftp', '--norc', '-c', `${settings}; open -u me,${author} ${at}; ${work}`)
  expect(held('in/tree/sub/two').toString()).toBe('two')
  expect(held('in/f.bin').equals(content)).toBe(true)
  const client = new Client()
  try {
    const { hostname: host, port } = new URL(at)
    await client.access({ host, port: Number(port), user: 'me', password: author })
    await client.uploadFrom(Readable.from(['an', 'other']), 'in/held')
    await client.ensureDir('/in/new')
    await client.uploadFromDir(tree)
  } finally {
    client.close()
  }
  expect(held('in/held').toString()).toBe('another')
  expect(held('in/new/sub/two').toString()).toBe('two')
})

it('takes nothing of who may not, and nothing that breaks off', async () => {
  const nobody = await RawFtp.login(address)
  for (const line of ['STOR in/x', 'MKD in/x']) expect(await nobody.code(line)).toBe(530)
  nobody.close()
  const ftp = await RawFtp.login(address, author)
  for (const line of ['STOR out', 'STOR in/../x', 'STOR /', 'STOR .fastreplica/x', 'MKD in/held'])
    expect({ line, code: await ftp.code(line) }).toEqual({ line, code: 550 })
  expect(await ftp.code('STOR in/\xe9')).toBe(553)
  await ftp.code('REST 5')
  expect(await ftp.code('STOR in/held')).toBe(554)
  const left = (): string[] => readdirSync(join(node.dataDir, '.fastreplica/ftp'))
  for (const cut of ['abort', 'gone'] as const) {
    const socket = await ftp.data()
    expect(await ftp.code('STOR in/held')).toBe(150)
    socket.write('a part')
    if (cut === 'abort') ftp.send('ABOR')
    if (cut === 'gone') ftp.close()
    else expect({ cut, code: (await ftp.reply()).code }).toEqual({ cut, code: 426 })
    if (cut === 'abort') expect((await ftp.reply()).code).toBe(226)
    await until(() => left().length === 0, 'nothing is left')
    socket.destroy()
  }
  expect(held('in/held').toString()).toBe('another')
})

it('a node that keeps nothing takes nothing', async () => {
  const relay = await world.node({ key, relayOnly: true })
  const door = await openFtpDoor(relay, { listen: '127.0.0.1:0', key, uploads: true })
  const ftp = await RawFtp.login(door.address, httpToken(key))
  expect((await ftp.ask('STOR x')).text).toContain('ERR_FR_READ_ONLY')
  ftp.close()
  await door.close()
})
