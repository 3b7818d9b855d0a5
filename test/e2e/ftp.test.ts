/** Files of a node over FTP: what clients of all kinds ask for. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { Client, FileType } from 'basic-ftp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Running } from '../../bench/running.mjs'
import { generateKey, push, pushStream } from '../../src/api/index.js'
import { httpToken } from '../../src/api/keys.js'
import { type FtpDoor, openFtpDoor } from '../../src/doors/ftp/index.js'
import { RawFtp, wholeOf } from './ftp-support.js'
import { until, World, type WorldNode } from './push-support.js'

const MIB = 1024 * 1024
const world = new World('native')
const key = generateKey()
const token = httpToken(key)
const strange = `a "b" 100% #?ü.txt`
let node: WorldNode
let door: FtpDoor
let url: string
let content: Buffer

beforeAll(async () => {
  node = await world.node({ key })
  door = await openFtpDoor(node, { listen: '127.0.0.1:0', key })
  url = `ftp://${door.address}`
  const file = world.file('film.mp4', 6 * MIB + 99)
  content = file.content
  const to = [node.address]
  await push(file.path, { to, key }).result
  for (const as of ['dir/small.txt', `dir/${strange}`, 'dir/deep/er.txt'])
    await push(Buffer.from('small'), { to, key, as }).result
  const tree = join(world.dir, 'tree')
  mkdirSync(join(tree, 'empty'), { recursive: true })
  mkdirSync(join(tree, 'sub'))
  writeFileSync(join(tree, 'one'), 'one')
  writeFileSync(join(tree, 'sub', 'two'), 'two')
  await push(tree, { to, key }).result
})
afterAll(async () => {
  await door?.close()
  await world.dispose()
})

const run = (program: string, ...args: readonly string[]): Promise<void> =>
  new Running(program, args).succeed(program)

describe('commands', () => {
  let ftp: RawFtp
  beforeAll(async () => {
    ftp = await RawFtp.login(door.address)
  })
  afterAll(() => ftp.close())

  it('say where one is, and what there is', async () => {
    expect(await ftp.ask('PWD')).toEqual({ code: 257, text: '"/"' })
    expect(await ftp.code('CWD dir/deep/')).toBe(250)
    expect(await ftp.ask('PWD')).toEqual({ code: 257, text: '"/dir/deep"' })
    expect(await ftp.code('CDUP')).toBe(250)
    expect((await ftp.ask('CWD ..')).text).toBe('"/" it is')
    expect(await ftp.code('CWD ..')).toBe(250)
    expect(await ftp.code('CWD tree/empty')).toBe(250)
    expect((await ftp.transfer('MLSD'))[0].length).toBe(0)
    for (const none of ['/none', '/film.mp4', '/dir/../dir', '/.fastreplica', '/dir/small'])
      expect({ none, code: await ftp.code(`CWD ${none}`) }).toEqual({ none, code: 550 })
    expect(await ftp.code('CWD /')).toBe(250)
  })

  it('list directories in each form', async () => {
    const [list, last] = await ftp.transfer('LIST -la')
    expect(last.code).toBe(226)
    const lines = list.toString().trimEnd().split('\r\n')
    expect(lines.map((line) => line.replace(/ {2,}/g, ' ').split(' ').at(-1))).toEqual([
      ...['dir', 'film.mp4', 'tree'],
    ])
    expect(lines[0]).toMatch(/^drwxr-xr-x +2 fr +fr +0 \w{3} [ \d]\d +[\d:]{4,5} dir$/)
    expect(lines[1]).toMatch(/^-rw-r--r-- +1 fr +fr +6291555 \w{3} [ \d]\d +[\d:]{4,5} film\.mp4$/)
    const [names] = await ftp.transfer('NLST dir')
    expect(names.toString().split('\r\n').sort()).toEqual([
      ...['', `dir/${strange}`, 'dir/deep', 'dir/small.txt'],
    ])
    const [one] = await ftp.transfer('NLST dir/small.txt')
    expect(one.toString()).toBe('dir/small.txt\r\n')
    const [facts] = await ftp.transfer('MLSD /dir')
    const stamp = (await ftp.ask('MDTM dir/small.txt')).text
    const told = facts.toString().split('\r\n')
    expect(told.map((line) => line.replace(/modify=20\d{12}/, 'modify=')).sort()).toEqual([
      ...['', 'type=dir;perm=el; deep', `type=file;size=5;modify=;perm=r; ${strange}`],
      'type=file;size=5;modify=;perm=r; small.txt',
    ])
    expect(told).toContain(`type=file;size=5;modify=${stamp};perm=r; small.txt`)
    expect((await ftp.transfer('MLSD film.mp4'))[1].code).toBe(501)
    expect((await ftp.transfer('LIST none'))[1].code).toBe(550)
  })

  it('tell facts of one', async () => {
    expect(await ftp.ask('SIZE film.mp4')).toEqual({ code: 213, text: String(content.length) })
    expect((await ftp.ask('MDTM /film.mp4')).text).toMatch(/^20\d{12}$/)
    const { code, text } = await ftp.ask('MLST dir/small.txt')
    expect(code).toBe(250)
    expect(text).toMatch(/\r\n type=file;size=5;modify=20\d{12};perm=r; \/dir\/small\.txt\r\n$/)
    expect(await ftp.code('OPTS MLST size;type;no;')).toBe(200)
    expect((await ftp.ask('MLST tree')).text).toMatch(/\r\n type=dir; \/tree\r\n$/)
    expect(await ftp.code('OPTS MLST type;size;modify;perm;')).toBe(200)
    for (const line of ['SIZE dir', 'SIZE none', 'MDTM none', 'MLST none', 'SIZE /'])
      expect({ line, code: await ftp.code(line) }).toEqual({ line, code: 550 })
  })

  it('are answered by what they are', async () => {
    const codes = {
      ...{ SYST: 215, NOOP: 200, FEAT: 211, HELP: 214, STAT: 211, 'TYPE I': 200, 'TYPE A': 200 },
      ...{ 'TYPE E': 504, 'MODE S': 200, 'MODE B': 504, 'STRU F': 200, 'OPTS UTF8 ON': 200 },
      ...{ 'OPTS X': 501, 'ALLO 5': 202, ABOR: 226, 'REST x': 501, RETR: 501, 'AUTH TLS': 502 },
      ...{
        'PBSZ 0': 503,
        'PROT P': 503,
        'STOR x': 550,
        'MKD x': 550,
        'APPE x': 502,
        'DELE film.mp4': 502,
        'EPSV 2': 522,
      },
      ...{ 'RETR film.mp4': 425, 'PORT 1,2,3': 501, 'EPRT |9|::1|80|': 522, XYZZY: 500, XPWD: 257 },
      ...{ 'SIZE a\0b': 500, 'SIZE a\xffb': 500, 'SIZE a\rb': 500, '': 500, 'nonsense x': 500 },
    }
    const told: Record<string, number> = {}
    for (const line of Object.keys(codes)) told[line] = await ftp.code(line)
    expect(told).toEqual(codes)
  })

  it('sends a file whole and from where one wants, past JavaScript', async () => {
    const before = node.status().counters
    const [whole, last] = await ftp.transfer('RETR film.mp4')
    expect([last.code, whole.equals(content)]).toEqual([226, true])
    const after = node.status().counters
    expect(after['payloadBytesInJavaScript']).toBe(0)
    expect((after['servedBytes'] ?? 0) - (before['servedBytes'] ?? 0)).toBe(content.length)
    const [end] = await ftp.transfer('RETR film.mp4', ['REST 6000000'])
    expect(end.equals(content.subarray(6_000_000))).toBe(true)
    const [none, nothing] = await ftp.transfer('RETR film.mp4', [`REST ${content.length}`])
    expect([none.length, nothing.code]).toEqual([0, 226])
    const beyond = await ftp.transfer('RETR film.mp4', [`REST ${content.length + 1}`])
    expect(beyond[1].code).toBe(554)
    const [again] = await ftp.transfer(`RETR dir/${Buffer.from(strange).toString('latin1')}`)
    expect(again.toString()).toBe('small')
  })

  it('breaks a transfer off, and goes on', async () => {
    const { path } = world.file('long.bin', 40 * MIB)
    await push(path, { to: [node.address], key }).result
    const socket = await ftp.data()
    socket.pause()
    expect(await ftp.code('RETR long.bin')).toBe(150)
    expect(await ftp.ask('STAT')).toMatchObject({ code: 213 })
    expect(await ftp.code('\xff\xf4\xff\xf2ABOR')).toBe(426)
    expect((await ftp.reply()).code).toBe(226)
    socket.destroy()
    expect((await ftp.transfer('RETR dir/small.txt'))[1].code).toBe(226)
  })

  it('sends what still grows as it comes, to its end', async () => {
    const stream = new PassThrough()
    const options = { to: [node.address], key, as: 'live.ts', follow: true } as const
    const pushing = pushStream(stream, options)
    pushing.result.catch(() => {})
    stream.write('first ')
    await until(async () => (await ftp.code('MDTM live.ts')) === 213, 'it comes')
    expect(await ftp.code('SIZE live.ts')).toBe(550)
    const socket = await ftp.data()
    expect(await ftp.code('RETR live.ts')).toBe(150)
    let text = ''
    socket.on('data', (chunk) => {
      text += String(chunk)
    })
    const whole = wholeOf(socket)
    await until(() => text === 'first ', 'what is there has come')
    stream.end('last')
    expect((await whole).toString()).toBe('first last')
    expect((await ftp.reply()).code).toBe(226)
    await pushing.result
  })
})

it('curl brings a file, goes on with one, lists, and lets itself be called', async () => {
  const output = join(world.dir, 'by-curl')
  await run('curl', '-sS', '-o', output, `${url}/film.mp4`)
  expect(readFileSync(output).equals(content)).toBe(true)
  writeFileSync(output, content.subarray(0, 5 * MIB))
  await run('curl', '-sS', '-C', '-', '-o', output, `${url}/film.mp4`)
  expect(readFileSync(output).equals(content)).toBe(true)
  await run('curl', '-sS', '-P', '-', '--disable-eprt', '-o', output, `${url}/dir/small.txt`)
  expect(readFileSync(output, 'latin1')).toBe('small')
  await run('curl', '-sS', '-P', '-', '-o', output, `${url}/film.mp4`)
  expect(readFileSync(output).equals(content)).toBe(true)
  await run('curl', '-sS', '--disable-epsv', '-l', '-o', output, `${url}/dir/`)
  expect(readFileSync(output, 'utf8').split(/\r?\n/).sort()).toEqual([
    ...['', strange, 'deep', 'small.txt'],
  ])
  const refused = new Running('curl', ['-sS', '-u', 'me:wrong', '-o', output, `${url}/film.mp4`])
  expect(await refused.ended).toBe(67)
})

it('lftp mirrors a directory, and gets a file in segments', async () => {
  const there = join(world.dir, 'by-lftp')
  const settings = 'set net:max-retries 2; set cmd:fail-exit true; set ftp:charset utf-8;'
  const work = `mirror -x ^long / ${there}/all; pget -n 4 -O ${there} film.mp4; bye`
  const script = `${settings} open ${url}; ${work}`
  mkdirSync(there)
  // Names are what its locale makes of them.
  const env = { ...process.env, LC_ALL: 'C.UTF-8' }
  await new Running('lftp', ['--norc', '-c', script], { env }).succeed('lftp')
  expect(readFileSync(join(there, 'film.mp4')).equals(content)).toBe(true)
  const all = readdirSync(join(there, 'all'), { recursive: true }).map(String)
  expect(all.filter((name) => !name.startsWith('live')).sort()).toEqual(
    [
      ...['dir', 'dir/deep', 'dir/deep/er.txt', 'dir/small.txt', `dir/${strange}`, 'film.mp4'],
      ...['tree', 'tree/empty', 'tree/one', 'tree/sub', 'tree/sub/two'],
    ].sort(),
  )
  expect(readFileSync(join(there, 'all', 'film.mp4')).equals(content)).toBe(true)
})

it('basic-ftp lists, downloads and knows sizes', async () => {
  const client = new Client()
  const { hostname, port } = new URL(url)
  try {
    await client.access({ host: hostname, port: Number(port), user: 'me', password: token })
    const files = await client.list('/dir')
    expect(files.map(({ name, type, size }) => [name, type, size]).sort()).toEqual(
      [
        [strange, FileType.File, 5],
        ['deep', FileType.Directory, 0],
        ['small.txt', FileType.File, 5],
      ].sort(),
    )
    expect(await client.size('film.mp4')).toBe(content.length)
    const chunks: Buffer[] = []
    const sink = new Writable({
      write(chunk: Buffer, _, done) {
        chunks.push(chunk)
        done()
      },
    })
    await client.downloadTo(sink, 'film.mp4', 3 * MIB)
    expect(Buffer.concat(chunks).equals(content.subarray(3 * MIB))).toBe(true)
    await client.downloadToDir(join(world.dir, 'by-basic'), '/tree')
    expect(readFileSync(join(world.dir, 'by-basic/sub/two'), 'latin1')).toBe('two')
  } finally {
    client.close()
  }
})
