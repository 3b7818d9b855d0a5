/**
 * Runs the examples in the help of every command, to nodes and a master of this process. What
 * needs no shell runs in this process, too: a process for each line would take half a minute.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createMaster, fetchStatus, generateKey, push } from '../../src/api/index.js'
import { parseCommandLine } from '../../src/cli/program.js'
import type { Context } from '../../src/cli/render/context.js'
import { start } from '../../src/cli/start.js'
import { openDoor } from '../../src/doors/index.js'
import { main, World as Programs, type Running, root } from './cli-world.js'
import { startOnTerminal } from './on-terminal.js'
import { until, World } from './push-support.js'

/** Of each command, what its examples print on either stream. A new command needs a line here. */
const printed: Record<string, RegExp> = {
  fr: /complete/,
  node: /"event":"listening"/,
  master: /event=listening/,
  sets: /maps/,
  plan: /nothing is to be copied/,
  links: /^link .*ams-fra/ms,
  components: /edge-1|nothing|no /,
  drain: /edge-1/,
  explain: /edge-1/,
  where: /10|two/,
  push: /"event": *"result"/,
  publish: /film\.mp4/,
  unpublish: /film\.mp4/,
  copy: /complete/,
  wait: /complete/,
  status: /./,
  top: /2 nodes/,
  add: /takes part in/,
  limit: /./,
  attr: /gpu/,
  get: /ERROR/,
  ls: /model\.bin/,
  disks: /./,
  verify: /./,
  versions: /model\.bin/,
  rollback: /model\.bin/,
  simulate: /bound/,
  digest: /[0-9a-f]{64}/,
  keygen: /^$/,
  token: /"nodeId"/,
  id: /[0-9a-f]{16}/,
  ca: /edge-1/,
  deploy: /^$/,
  completion: /^$/,
  // What the others need goes last.
  rm: /./,
}

/** Examples that run nowhere here; the program has to take them all the same. */
const parsedOnly = new Set([
  // Over ssh: deploy.test.ts.
  'fr deploy 10.0.0.2,10.0.0.3 --key-file fr.key',
  'fr deploy ops@a.lan:7401 --key-file fr.key --with-node -- --attr site=ams',
  'fr deploy 10.0.0.2,10.0.0.3 --stop',
  // A server of NATS: masters.test.ts. Records in DNS: names.test.ts.
  'fr master --listen 10.0.0.1 --data /srv/master --state nats://10.0.0.9 --key-file fr.key',
  'fr status dns:fr.lan --watch --json | jq -c .rates',
])

/** Those that end with another status than 0: a node died, a node lacks files. */
const statuses = new Map([
  ['fr simulate --nodes 48 --size 1GB --uplink 1Gbit --kill 7@2s', 3],
  ['fr sets status --via 10.0.0.1', 3],
  ['fr verify --via 10.0.0.1', 3],
])

/** Words of examples, and what stands for them here; `prepare` knows the rest. */
const ours = new Map<string | RegExp, string>([
  [/--listen (?:'[^']+'|\S+)/g, '--listen 127.0.0.1:0'],
  // Directories of the system are those of the example.
  [/(?<=\s)\/(?=srv|etc|tmp|disk)/g, ''],
  // So that it lasts seconds.
  [/(?<=simulate )--nodes \d+ --size \d+GB/g, '--nodes 10 --size 5MB'],
  ['--nodes 12 --size 1GB', '--nodes 12 --size 1MB'],
  ['7@2s', '7@1ms'],
  ['30GiB', '5MiB'],
  ['--final-after 60s', '--final-after 500ms'],
  ['--every 5s', '--every 500ms'],
  ['--watch 5s', '--watch 500ms'],
])

const key = generateKey()
const world = new World('native')
const programs = new Programs()
const sources = path.join(world.dir, 'sources')
const env = {
  ...{ ...programs.env, FR_KEY: key, FR: main, NODE: process.execPath },
  HOME: path.join(world.dir, 'home'),
}
let two: string
let three: string
/** Changes from command to command: a transfer, a version. */
let transfer = ''
let version = ''
let isGrowing = false

const help = (...argv: string[]): string => {
  const parsed = parseCommandLine([...argv, '--help'], '0.0.0')
  return parsed.kind === 'text' ? parsed.text : ''
}
const names = [...help().matchAll(/^ {2}([a-z]+) .*$/gm)]
  .map(([, name]) => name as string)
  .filter((name) => name !== 'fr')
/** What is said behind two spaces is no part of a line. */
const examplesOf = (name: string): string[] =>
  [...help(...(name === 'fr' ? [] : [name])).matchAll(/^ {2}\$ (.*)$/gm)].map(([, line]) =>
    (line as string).replace(/ {2,}.*$/, ''),
  )

function withOurs(line: string): string {
  const now = new Map<string | RegExp, string>([
    ...ours,
    ['0123456789abcdef0123456789abcdef', transfer],
    ['4f1c22', version],
  ])
  return [...now].reduce((text, [from, to]) => text.replaceAll(from, to), line)
}

const wordsOf = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|[^\s']+/g)].map(([word, quoted]) => quoted ?? word)

interface Ran {
  readonly status: number | string
  readonly stdout: string
  readonly stderr: string
}

/** A line that needs no shell, in this process. */
async function runHere(words: readonly string[]): Promise<Ran> {
  const said = { stdout: '', stderr: '' }
  const context: Context = {
    env,
    stdout(text) {
      said.stdout += text
    },
    stderr(text) {
      said.stderr += text
    },
    terminal: () => null,
    stdoutIsTerminal: false,
    paintStdout: (_, text) => text,
    paintStderr: (_, text) => text,
  }
  const status = await start(words, context)
  return { status, ...said }
}

const shell = (script: string, cwd: string): Running =>
  programs.start('bash', ['-ec', `set -o pipefail\n${script}`], { cwd, env })

async function runInShell(script: string, cwd: string): Promise<Ran> {
  const both = `fr() { "$NODE" "$FR" "$@"; }\nproducer() { echo of a program; }\n${script}`
  const running = shell(both, cwd)
  const status = await running.ended
  return { status, stdout: running.stdout, stderr: running.stderr }
}

/** A command that goes on until it is told to end: once it has said that it is there. */
async function runUntil(line: string, cwd: string): Promise<Ran> {
  const running = shell(`fr() { exec "$NODE" "$FR" "$@"; }\n${line}`, cwd)
  const both = () => running.stdout + running.stderr
  await running.until(line, () => /listening|^node +state/m.test(both()))
  running.kill('SIGTERM')
  const status = await running.ended
  return { status: status === 143 ? 0 : status, stdout: running.stdout, stderr: running.stderr }
}

async function runTop(words: readonly string[]): Promise<Ran> {
  const size = { columns: 80, rows: 24 }
  const running = startOnTerminal(programs, size, [...words, '--key-file', `${sources}/fr.key`])
  await running.until('its first line', () => / idle /.test(running.stdout))
  running.child.stdin?.write('q')
  const status = await running.ended
  return { status, stdout: running.stdout, stderr: running.stderr }
}

const needsShell = (line: string) => /[|<>$]/.test(line.replace(/'[^']*'/g, ''))
const serves = (line: string) => /\bfr (?:node|master) |--watch\b/.test(line)

async function runExample(line: string, directory: string): Promise<Ran> {
  const text = withOurs(line)
  // Addresses of the examples are nobody's here.
  expect(text).not.toMatch(/\b10\.\d|[a-z]\.lan/)
  if (serves(line)) return runUntil(text, directory)
  if (line.startsWith('fr top ')) return runTop(wordsOf(text).slice(1))
  if (needsShell(line)) return runInShell(text, directory)
  const run = () => runHere(wordsOf(text).slice(1))
  let ran = await run()
  // A node that is busy is asked again.
  if (line.startsWith('fr where '))
    await until(async () => {
      if (ran.status === 3) ran = await run()
      return ran.status !== 3
    }, line)
  return ran
}

/** Lines that make one: what keeps something in a variable, and the next one. */
function scriptsOf(name: string): string[] {
  const scripts: string[] = []
  for (const line of examplesOf(name)) {
    const last = scripts.at(-1)
    if (last !== undefined && /^[a-z]+=\$\(/.test(last)) scripts[scripts.length - 1] += `\n${line}`
    else scripts.push(line)
  }
  return scripts
}

/** Files of examples that a command is to make. */
const made: Record<string, readonly string[]> = {
  get: ['model.bin', 'models', 'site', 'app.log'],
}

/** What has to be so before the examples of a command, or before one of them. */
const before: Record<string, () => Promise<unknown>> = {
  add: running,
  limit: running,
  async wait() {
    const detached = ['copy', 'model.bin', '--from', two, '--to', three, '--detach']
    transfer = (await runHere(detached)).stdout.trim()
  },
  async "fr rm 10.0.0.2 'site/**/*.map'"() {
    const again = ['push', 'site/a.map', '--as', 'site/a.map', '--to', two]
    expect(await runHere(again)).toMatchObject({ status: 0 })
  },
  async rollback() {
    const to = ['--to', `${two},${three}`]
    writeFileSync('model.bin', 'another version')
    expect(await runHere(['push', 'model.bin', ...to])).toMatchObject({ status: 0 })
    const { stdout } = await runHere(['versions', two, 'model.bin', '--json'])
    version = /"digest":"(?:\w+:)?([0-9a-f]{6})/.exec(stdout)?.[1] ?? stdout
  },
}

/** A push to the first node that goes on, and takes more of them. */
async function running(): Promise<void> {
  if (isGrowing) return
  isGrowing = true
  transfer = ''
  const ended = new AbortController()
  const options = { to: [two], key, follow: true, allowAdd: true, signal: ended.signal }
  const growing = push(path.join(sources, 'build.log'), { ...options, as: 'growing' })
  growing.result.catch(() => {})
  world.defer(() => {
    ended.abort()
    return growing.result.catch(() => {})
  })
  await until(async () => {
    const { transfers } = await fetchStatus(two, { key })
    const found = transfers.find(({ name, landedBytes }) => name === 'growing' && landedBytes > 0)
    transfer = found?.transfer ?? ''
    return found !== undefined
  }, 'the node takes part in a push')
}

beforeAll(async () => {
  const at = (name: string) => path.join(sources, name)
  for (const name of ['models', 'site/pages', 'etc/fr', 'srv/data'])
    mkdirSync(at(name), { recursive: true })
  for (const name of ['zsh/completions', 'config/fish/completions'])
    mkdirSync(path.join(env.HOME, `.${name}`), { recursive: true })
  const files = ['model.bin', 'models/old.bin', 'models/new.bin', 'film.mp4', 'd0', 'd1', 'd2']
  for (const name of [...files, 'site/pages/a.html', 'site/a.map', 'build.log'])
    writeFileSync(at(name), `content of ${name}\n`.repeat(2_000))
  writeFileSync(at('app.log'), 'ERROR at first\nand then nothing\n')
  for (const name of ['fr.key', 'etc/fr.key']) writeFileSync(at(name), `${key}\n`, { mode: 0o600 })
  cpSync(`${root}/examples/wan/sets`, at('sets'), { recursive: true })
  const topology = `${root}/examples/wan/topology.yaml`
  cpSync(topology, at('wan.yaml'))

  const master = await createMaster({
    ...{ listen: '127.0.0.1:0', dataDir: world.dataDir(), key, topology, sets: at('sets') },
  })
  world.defer(() => master.close())
  const more = { ram: '64', disk: '100', site: 'eu' }
  const first = await world.node({
    ...{ key, name: 'two', keep: 3, attributes: { ...more, region: 'eu', tier: 'edge' } },
  })
  const next = { key, keep: 3, parent: first.address, attributes: more }
  const others = await Promise.all(
    ['three', 'four', 'nine'].map((name) => world.node({ ...next, name })),
  )
  const managed = { key, name: 'edge-1', master: master.address, attributes: { site: 'ams' } }
  await world.node(managed)
  const door = await openDoor({ node: first }, { listen: '127.0.0.1:0', key })
  world.defer(() => door.close())
  two = first.address
  three = others[0]?.address ?? ''
  const addresses = [two, ...others.map(({ address }) => address)]
  ours.set('127.0.0.1:8080', door.address)
  ours.set('10.0.0.2:7401', two).set('10.0.0.1', master.address)
  for (const [index, last] of [2, 3, 4, 9].entries())
    ours.set(`10.0.0.${last}`, addresses[index] as string)
  writeFileSync(at('nodes.txt'), addresses.slice(1, 3).join('\n'))
  writeFileSync(at('fleet.txt'), addresses.slice(0, 2).join('\n'))
  cpSync(at('fleet.txt'), programs.path('fleet.txt'))
  execFileSync('tar', ['cf', 'models/v2.tar', 'model.bin'], { cwd: sources })

  process.chdir(sources)
  process.setMaxListeners(200)
  const linesOf = async (...words: string[]) => (await runHere(words)).stdout.split('\n')
  await until(async () => {
    const lines = await linesOf('components', '--nodes', '--via', master.address)
    return lines.some((line) => line.includes('edge-1'))
  }, 'a node has joined the master')
  await until(async () => {
    const lines = await linesOf('where', 'name=*', '--via', two)
    return lines.length === addresses.length + 1
  }, 'all nodes are in the directory')
  const to = ['--to', `${two},${three}`]
  for (const name of ['model.bin', 'models/v2.tar', 'models/old.bin', 'app.log', 'site'])
    expect(await runHere(['push', name, '--as', name, ...to])).toMatchObject({ status: 0 })
})
afterAll(async () => {
  process.chdir(root)
  await world.dispose()
  await programs.close()
})

describe('the examples in the help of', () => {
  it('all commands are run', () => {
    expect(['fr', ...names].sort()).toEqual(Object.keys(printed).sort())
    const all = Object.keys(printed).flatMap(scriptsOf)
    for (const script of [...parsedOnly, ...statuses.keys()]) expect(all).toContain(script)
  })

  it.each(Object.entries(printed))('%s', async (name, expected) => {
    const scripts = scriptsOf(name)
    expect(scripts.length).toBeGreaterThan(0)
    const directory = path.join(world.dir, `for-${name}`)
    cpSync(sources, directory, { recursive: true })
    for (const each of made[name] ?? []) rmSync(path.join(directory, each), { recursive: true })
    process.chdir(directory)
    await before[name]?.()
    let output = ''
    for (const script of scripts) {
      if (parsedOnly.has(script)) {
        const words = wordsOf(script.replace(/ \|.*/, '')).slice(1)
        expect(parseCommandLine(words, '0.0.0')).toMatchObject({ kind: 'run' })
        continue
      }
      await before[script]?.()
      if (script.includes('keygen')) rmSync('fr.key', { force: true })
      else cpSync(path.join(sources, 'fr.key'), 'fr.key')
      for (const made of ['srv', 'disk1', 'disk2', 'tmp'])
        rmSync(made, { recursive: true, force: true })
      for (const made of ['srv/data', 'srv/master', 'disk1', 'disk2', 'tmp/a'])
        mkdirSync(made, { recursive: true })
      const { status, stdout, stderr } = await runExample(script, directory)
      const wanted = statuses.get(script) ?? 0
      expect({ script, status, said: status === wanted ? '' : stdout + stderr }).toEqual({
        ...{ script, status: wanted, said: '' },
      })
      output += stdout + stderr
    }
    expect(output).toMatch(expected)
  })
})
