/** FTP over TLS (RFC 4217): sessions and data are encrypted where the client asks for it. */
import { copyFileSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { Client } from 'basic-ftp'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Running } from '../../bench/running.mjs'
import { initCa, issue } from '../../src/api/ca.js'
import { generateKey, push } from '../../src/api/index.js'
import { httpToken } from '../../src/api/keys.js'
import { openFtpDoor } from '../../src/doors/ftp/index.js'
import { RawFtp, wholeOf } from './ftp-support.js'
import { World } from './push-support.js'

const MIB = 1024 * 1024
const world = new World('native')
const key = generateKey()
const token = httpToken(key)
let address: string
let content: Buffer
let authority: string
let certificate: { cert: string; key: string }

beforeAll(async () => {
  authority = join(world.dir, 'ca')
  await initCa(authority)
  await issue(authority, 'localhost')
  await issue(authority, 'renewed.example')
  certificate = { cert: join(world.dir, 'door.crt'), key: join(world.dir, 'door.key') }
  place('localhost')
  const node = await world.node({ key })
  const door = await openFtpDoor(node, { listen: '127.0.0.1:0', key, certificate })
  world.defer(() => door.close())
  address = door.address
  const file = world.file('film.mp4', 3 * MIB + 7)
  content = file.content
  await push(file.path, { to: [node.address], key, as: 'dir/film.mp4' }).result
})
afterAll(() => world.dispose())

/** As programs that renew certificates do: a new file in the place of each. */
function place(name: string): void {
  for (const [to, end] of [
    [certificate.key, 'key'],
    [certificate.cert, 'crt'],
  ] as const) {
    copyFileSync(join(authority, `${name}.${end}`), `${to}.new`)
    renameSync(`${to}.new`, to)
  }
}

const run = (program: string, ...args: readonly string[]): Promise<void> =>
  new Running(program, args).succeed(program)
const port = (): string => address.split(':')[1] as string

it('takes no token in the clear, and encrypts nothing behind what stands there', async () => {
  const ftp = await RawFtp.open(address)
  expect((await ftp.ask('FEAT')).text).toContain(' AUTH TLS\r\n')
  expect(await ftp.code('USER me')).toBe(530)
  expect(await ftp.code('USER anonymous')).toBe(331)
  expect(await ftp.code('PASS x')).toBe(230)
  expect((await ftp.transfer('NLST dir'))[0].toString()).toBe('dir/film.mp4\r\n')
  expect(await ftp.code('AUTH GSSAPI')).toBe(504)
  ftp.send('AUTH TLS', 'USER me')
  expect((await ftp.reply()).code).toBe(0)
})

it('curl brings and goes on with a file, and lists', async () => {
  const output = join(world.dir, 'by-curl')
  const how = ['-sS', '--ssl-reqd', '--cacert', join(authority, 'ca.crt'), '-u', `me:${token}`]
  const at = `ftp://localhost:${port()}`
  const resolve = ['--resolve', `localhost:${port()}:127.0.0.1`, '-o', output]
  await run('curl', ...how, ...resolve, `${at}/dir/film.mp4`)
  expect(readFileSync(output).equals(content)).toBe(true)
  await run('curl', ...how, ...resolve, '--no-sessionid', '-r', '100-199', `${at}/dir/film.mp4`)
  expect(readFileSync(output).equals(content.subarray(100, 200))).toBe(true)
  await run('curl', ...how, ...resolve, '--tls-max', '1.2', '-l', `${at}/dir/`)
  expect(readFileSync(output, 'latin1').trim()).toBe('film.mp4')
})

it('lftp mirrors, and gets a file in segments', async () => {
  const there = join(world.dir, 'by-lftp')
  mkdirSync(there)
  const settings = [
    ...['set net:max-retries 2', 'set cmd:fail-exit true', 'set ftp:ssl-force true'],
    ...['set ftp:ssl-protect-data true', `set ssl:ca-file ${join(authority, 'ca.crt')}`],
  ].join('; ')
  const work = `mirror /dir ${there}/dir; pget -n 3 -O ${there} dir/film.mp4; bye`
  const script = `${settings}; open -u me,${token} ftp://localhost:${port()}; ${work}`
  await run('lftp', '--norc', '-c', script)
  for (const name of ['film.mp4', 'dir/film.mp4'])
    expect(readFileSync(join(there, name)).equals(content)).toBe(true)
})

it('basic-ftp resumes the session on data connections', async () => {
  const client = new Client()
  const ca = readFileSync(join(authority, 'ca.crt'))
  const secureOptions = { ca, servername: 'localhost' }
  const login = { user: 'me', password: token, secure: true, secureOptions }
  try {
    await client.access({ host: '127.0.0.1', port: Number(port()), ...login })
    const chunks: Buffer[] = []
    const write = (chunk: Buffer, _: unknown, done: () => void): void => {
      chunks.push(chunk)
      done()
    }
    await client.downloadTo(new Writable({ write }), 'dir/film.mp4', MIB)
    expect(Buffer.concat(chunks).equals(content.subarray(MIB))).toBe(true)
    expect((await client.list('dir')).map(({ name }) => name)).toEqual(['film.mp4'])
  } finally {
    client.close()
  }
})

it('shows a renewed certificate to the next session', async () => {
  const nameOf = async (): Promise<string> => {
    const ftp = await RawFtp.open(address)
    expect(await ftp.code('AUTH TLS')).toBe(234)
    ftp.socket.removeAllListeners('data')
    const socket = connectTls({ socket: ftp.socket, rejectUnauthorized: false })
    ftp.hear(socket)
    await new Promise((resolve) => socket.once('secureConnect', resolve))
    socket.write(`USER me\r\nPASS ${token}\r\nQUIT\r\n`)
    const name = socket.getPeerCertificate().subject.CN
    const codes = [await ftp.reply(), await ftp.reply(), await ftp.reply()]
    expect(codes.map(({ code }) => code)).toEqual([331, 230, 221])
    await wholeOf(socket)
    return String(name)
  }
  expect(await nameOf()).toBe('localhost')
  place('renewed.example')
  expect(await nameOf()).toBe('renewed.example')
})
