/** What an FTP door refuses: connections for others, guesses, floods, and who takes nothing. */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { generateKey, push } from '../../src/api/index.js'
import { httpToken } from '../../src/api/keys.js'
import { doorLimits } from '../../src/base/door-limits.js'
import { ftpLimits } from '../../src/base/ftp-limits.js'
import { openFtpDoor } from '../../src/doors/ftp/index.js'
import { sha256Of } from '../../src/doors/tokens.js'
import { RawFtp, wholeOf } from './ftp-support.js'
import { World, type WorldNode } from './push-support.js'

const MIB = 1024 * 1024
const world = new World('native')
const key = generateKey()
const reader = 'a-token-of-a-reader'
let node: WorldNode
let address: string
let content: Buffer

beforeAll(async () => {
  // Waits that nobody wants to sit through.
  Object.assign(ftpLimits, { failureMs: 1 })
  node = await world.node({ key })
  const tokens = join(world.dir, 'tokens')
  const lines = [`${sha256Of(reader)} reader get pub/**`, `${sha256Of('all')} all`]
  writeFileSync(tokens, `${lines.join('\n')}\n`, { mode: 0o600 })
  const options = { listen: '127.0.0.1:0', key, tokens, ports: '20000-29999' }
  const door = await openFtpDoor(node, { ...options, logger: world.logger })
  world.defer(() => door.close())
  address = door.address
  const file = world.file('f', 48 * MIB)
  content = file.content
  const to = [node.address]
  await push(file.path, { to, key, as: 'pub/f' }).result
  await push(Buffer.from('secret'), { to, key, as: 'secret' }).result
})
afterAll(() => world.dispose())

/** The first line of each greeting is read. */
const open = (localAddress?: string): Promise<RawFtp> => RawFtp.open(address, localAddress)
const asReader = (): Promise<RawFtp> => RawFtp.login(address, reader)

it('gives nothing to who has no right to it', async () => {
  const nobody = await open()
  for (const line of ['PWD', 'LIST', 'RETR pub/f', 'EPSV', 'PORT 127,0,0,1,20,0', 'CWD pub'])
    expect({ line, code: await nobody.code(line) }).toEqual({ line, code: 530 })
  expect(await nobody.code('USER anonymous')).toBe(331)
  expect(await nobody.code('PASS me@here')).toBe(530)
  nobody.close()
  const ftp = await asReader()
  for (const line of ['SIZE secret', 'MDTM secret', 'RETR secret', 'MLST secret', 'LIST', 'STAT'])
    expect({ line, code: await ftp.code(line) }).toEqual({
      line,
      code: line === 'STAT' ? 211 : 550,
    })
  expect(await ftp.code('CWD pub')).toBe(250)
  expect(await ftp.code('SIZE f')).toBe(213)
  ftp.close()
})

it('connects to nobody but its client, and to no port of services', async () => {
  const ftp = await asReader()
  const codes: Record<string, number> = {}
  for (const line of [
    ...['PORT 127,0,0,2,200,13', 'PORT 127,0,0,1,0,25', 'PORT 127,0,0,1,3,255'],
    ...['EPRT |1|10.0.0.1|5000|', 'EPRT |2|::1|5000|', 'EPRT |1|127.0.0.1|80|'],
    ...['EPRT |2|::ffff:10.0.0.1|5000|', 'PORT 127,0,0,1,4,0'],
  ])
    codes[line] = await ftp.code(line)
  expect(Object.values(codes)).toEqual([504, 504, 504, 504, 504, 504, 504, 200])
  const heard = createServer()
  heard.listen(0, '127.0.0.1')
  await once(heard, 'listening')
  const { port } = heard.address() as { port: number }
  const came = once(heard, 'connection')
  expect(await ftp.code(`EPRT |1|127.0.0.1|${port}|`)).toBe(200)
  ftp.send('REST 50331640', 'RETR pub/f')
  const [socket] = await came
  expect((await wholeOf(socket)).equals(content.subarray(50_331_640))).toBe(true)
  const replies = [await ftp.reply(), await ftp.reply(), await ftp.reply()]
  expect(replies.map(({ code }) => code)).toEqual([350, 150, 226])
  expect(await ftp.code('EPSV ALL')).toBe(200)
  for (const line of ['PASV', `EPRT |1|127.0.0.1|${port}|`, 'PORT 127,0,0,1,20,0'])
    expect(await ftp.code(line)).toBe(501)
  heard.close()
  ftp.close()
})

it('a stranger at a data port gets nothing, and takes nobody’s place', async () => {
  const ftp = await asReader()
  const port = await ftp.port()
  expect(port).toBeGreaterThanOrEqual(20_000)
  expect(port).toBeLessThan(30_000)
  const dial = (localAddress: string) => connect({ host: '127.0.0.1', port, localAddress })
  const strange = dial('127.0.0.2')
  strange.on('error', () => {})
  expect((await wholeOf(strange)).length).toBe(0)
  const socket = dial('127.0.0.1')
  await once(socket, 'connect')
  const whole = wholeOf(socket)
  await ftp.ask(`REST ${content.length - 9}`)
  expect(await ftp.code('RETR pub/f')).toBe(150)
  expect((await whole).equals(content.subarray(-9))).toBe(true)
  expect((await ftp.reply()).code).toBe(226)
  ftp.close()
})

it('ports are not told by those before', async () => {
  const ftp = await asReader()
  const ports: number[] = []
  for (let i = 0; i < 8; i++) ports.push(await ftp.port())
  const steps = ports.slice(1).map((port, at) => port - (ports[at] as number))
  expect(new Set(steps).size).toBeGreaterThan(1)
  ftp.close()
})

it('guesses end the connection, and then are not looked at from there', async () => {
  const from = '127.0.0.9'
  let tries = 0
  while (tries < ftpLimits.failuresPerAddress) {
    const ftp = await open(from)
    const codes: number[] = []
    for (let i = 0; i < ftpLimits.failuresPerConnection; i++, tries++) {
      await ftp.ask('USER me')
      codes.push(await ftp.code(`PASS guess ${tries}`))
    }
    expect(codes).toEqual([530, 530, 421])
    expect((await ftp.reply()).code).toBe(0)
  }
  const late = await open(from)
  await late.ask('USER me')
  expect(await late.code(`PASS ${reader}`)).toBe(530)
  late.close()
  expect(world.log.filter(({ event }) => event === 'ftp-guessing')).toMatchObject([
    { fields: { address: from } },
  ])
  ;(await asReader()).close()
})

it('a line that is too long ends the connection, many at once are answered in turn', async () => {
  const long = await asReader()
  long.socket.write('RETR '.padEnd(ftpLimits.lineBytes + 1, 'x'))
  expect((await long.reply()).code).toBe(421)
  expect((await long.reply()).code).toBe(0)
  const many = await asReader()
  const lines = Array.from({ length: 5_000 }, (_, i) => (i % 2 === 0 ? 'NOOP' : 'no command'))
  many.send(...lines)
  const codes: number[] = []
  for (const _ of lines) codes.push((await many.reply()).code)
  expect(codes).toEqual(lines.map((_, i) => (i % 2 === 0 ? 200 : 500)))
  many.close()
})

it('so many connections of an address are let in, and no more', async () => {
  const from = '127.0.0.7'
  const all = await Promise.all(
    Array.from({ length: ftpLimits.connectionsPerAddress }, () => open(from)),
  )
  const { hostname: host, port } = new URL(`ftp://${address}`)
  const one = connect({ host, port: Number(port), localAddress: from })
  expect((await wholeOf(one)).toString()).toMatch(/^421 there are 64 connections from/)
  for (const ftp of all) ftp.close()
})

it('who takes nothing is cut off', async () => {
  const { idleMs } = doorLimits
  const ftp = await asReader()
  const socket = await ftp.data()
  socket.pause()
  Object.assign(doorLimits, { idleMs: 300 })
  try {
    expect(await ftp.code('RETR pub/f')).toBe(150)
    expect((await ftp.reply()).code).toBe(426)
  } finally {
    Object.assign(doorLimits, { idleMs })
  }
  socket.destroy()
  expect(await ftp.code('NOOP')).toBe(200)
  ftp.close()
})

it('closes with sessions and transfers under way', async () => {
  const door = await openFtpDoor(node, { listen: '127.0.0.1:0', key })
  const idle = await RawFtp.login(door.address, httpToken(key))
  const busy = await RawFtp.login(door.address, httpToken(key))
  const waiting = await busy.data()
  waiting.pause()
  expect(await busy.code('RETR pub/f')).toBe(150)
  await door.close()
  expect((await idle.reply()).code).toBe(421)
  expect((await busy.reply()).code).toBe(421)
  waiting.destroy()
  await door.close()
})
