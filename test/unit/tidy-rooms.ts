/** Which room of src may import what: the table, and the search for circles. */
import { importsOf } from './tidy-text.js'

interface Room {
  /**
   * What may be imported beside the room itself: rooms, rooms with all that is below them (`/*`),
   * or files of src.
   */
  readonly rooms: readonly string[]
  readonly packages?: readonly string[]
  /** `all`, or the list of node modules; default: none. */
  readonly node?: 'all' | readonly string[]
  readonly nodeNever?: readonly string[]
}

/** What plans, deals and judges: its own room below control, and those that it stands on. */
function deciding(...rooms: readonly string[]): Room {
  return { rooms: ['base', 'control/messages', ...rooms.map((room) => `control/${room}`)] }
}

/** The table of docs/architecture.md, a row for each folder of src, from the top to the bottom. */
const rooms: Record<string, Room> = {
  cli: {
    rooms: ['cli/*', 'api', 'base'],
    packages: ['commander'],
    node: 'all',
  },
  'cli/commands': {
    rooms: [
      ...[
        'cli/arguments',
        'cli/render',
        'cli/plot',
        'cli/watch',
        'cli/deploy',
        'doors',
        'doors/ftp',
        'api',
        'base',
      ],
    ],
    packages: ['commander'],
    node: 'all',
  },
  'cli/deploy': { rooms: ['cli/render', 'api', 'base'], node: 'all' },
  'cli/watch': { rooms: ['cli/render', 'api', 'base'], node: 'all' },
  'cli/plot': {
    rooms: ['cli/render', 'api'],
    packages: ['echarts/charts', 'echarts/components', 'echarts/core', 'echarts/renderers'],
  },
  'cli/arguments': {
    rooms: ['cli/render', 'api', 'base'],
    packages: ['commander'],
    node: 'all',
  },
  'cli/render': { rooms: ['api', 'base'], packages: ['string-width'], node: 'all' },
  doors: { rooms: ['doors/*', 'store/files', 'api', 'base/*'], node: 'all' },
  // For browsers: of doors and api it takes types alone, else it could not be joined.
  page: {
    rooms: ['doors/control', 'api', 'media', 'base'],
    packages: ['preact', 'preact/hooks', 'uplot'],
  },
  'doors/control': {
    rooms: ['doors', 'store/files', 'api', 'base/*'],
    packages: ['zod'],
    node: 'all',
  },
  'doors/ftp': { rooms: ['doors', 'doors/files', 'api', 'base/*'], node: 'all' },
  'doors/files': { rooms: ['doors', 'api', 'media', 'base/*'], node: 'all' },
  'doors/hub': { rooms: ['doors', 'doors/files', 'api', 'base/*'], node: 'all' },
  'doors/oci': { rooms: ['doors', 'doors/files', 'api', 'base/*'], node: 'all' },
  'doors/metrics': { rooms: ['doors', 'api', 'base/*'], packages: ['prom-client'], node: 'all' },
  api: {
    rooms: [
      ...['agent/*', 'session/*', 'store/*', 'net', 'engine/hashing', 'sim/*'],
      ...['control/*', 'base/*'],
      ...['documents', 'media', 'ports'],
    ],
    node: 'all',
    nodeNever: ['node:net'],
  },
  agent: {
    rooms: [
      ...['agent/*', 'session/*', 'store/*', 'net', 'engine/*'],
      ...['protocol', 'control/*', 'base/*', 'ports'],
    ],
    node: 'all',
  },
  'agent/instructed': {
    rooms: [...['session/*', 'store/*', 'net', 'protocol', 'control/*', 'base/*', 'ports']],
    node: 'all',
  },
  'agent/swarm': {
    rooms: ['agent', 'session', 'store/*', 'net', 'protocol', 'control/*', 'base/*', 'ports'],
    node: 'all',
  },
  'agent/directory': {
    rooms: ['net', 'store/files', 'protocol', 'control/*', 'base/*'],
    node: 'all',
  },
  'agent/master': {
    rooms: [
      ...['agent', 'session', 'store/*', 'net', 'engine', 'protocol', 'control/*', 'base/*'],
      'ports',
    ],
    node: 'all',
  },
  session: {
    rooms: ['session/driver', 'net', 'protocol', 'control/*', 'base/*', 'ports'],
    node: 'all',
  },
  'session/coordinator': {
    rooms: [
      ...['session', 'session/driver', 'net', 'store/*'],
      ...['protocol', 'control/*', 'base/*', 'ports'],
    ],
    node: 'all',
  },
  'session/trees': {
    rooms: ['session/coordinator', 'protocol', 'control/*', 'base/*', 'ports'],
    node: 'all',
  },
  'session/receiver': {
    rooms: [
      ...['session', 'session/driver', 'net', 'store/*'],
      ...['protocol', 'control/*', 'base/*', 'ports'],
    ],
    node: 'all',
  },
  'session/fetch': {
    rooms: [
      ...['session', 'session/driver', 'net', 'store/*'],
      ...['protocol', 'control/*', 'base/*', 'ports'],
    ],
    node: 'all',
  },
  'session/instructed': {
    rooms: [
      ...['session', 'session/fetch', 'session/receiver', 'net', 'store/*'],
      ...['protocol', 'control/*', 'base/*', 'ports'],
    ],
    node: 'all',
  },
  'session/driver': { rooms: ['protocol', 'control/*', 'base', 'ports'] },
  store: {
    rooms: ['store/*', 'control/holdings', 'control/messages', 'base/*', 'ports'],
    node: 'all',
  },
  'store/held': {
    rooms: ['store/catalogue', 'store/files', 'control/holdings', 'base/*', 'ports'],
    node: 'all',
  },
  'store/versions': {
    rooms: ['store/held', 'store/catalogue', 'store/files', 'base', 'ports'],
    node: 'all',
  },
  'store/commits': {
    rooms: ['store/files', 'protocol', 'control/messages', 'base'],
    node: 'all',
  },
  'store/master': { rooms: ['store/files', 'protocol', 'control/messages', 'base'], node: 'all' },
  'store/leading': {
    rooms: [
      ...['store/master', 'store/files', 'protocol', 'control/leading', 'control/messages', 'base'],
    ],
    packages: ['@nats-io/jetstream', '@nats-io/kv', '@nats-io/transport-node'],
    node: 'all',
  },
  'store/growing': { rooms: ['store', 'store/files', 'base/*', 'ports'], node: 'all' },
  'store/walk': {
    rooms: ['store', 'store/held', 'store/files', 'store/rules', 'protocol', 'base', 'ports'],
    node: 'all',
  },
  'store/trees': {
    rooms: [
      ...['store/versions', 'store/held', 'store/catalogue', 'store/files', 'store/rules'],
      ...['protocol', 'control/messages', 'base/*', 'ports'],
    ],
    node: 'all',
  },
  'store/disks': { rooms: ['base'], node: 'all' },
  'store/shared': {
    rooms: ['store/held', 'store/catalogue', 'store/files', 'base/*', 'ports'],
    node: 'all',
  },
  'store/catalogue': { rooms: ['store/files', 'base', 'ports'], node: 'all' },
  'store/journal': {
    rooms: ['store/catalogue', 'store/files', 'control/holdings', 'base', 'ports'],
    node: 'all',
  },
  'store/files': { rooms: ['base'], node: 'all' },
  'store/rules': { rooms: [], packages: ['ignore'] },
  net: {
    rooms: ['protocol', 'control/messages', 'base/*', 'ports'],
    packages: ['@peculiar/x509', 'reflect-metadata'],
    node: 'all',
  },
  'engine/native': {
    rooms: ['engine', 'base', 'ports'],
    packages: ['node-gyp-build'],
    node: 'all',
  },
  'engine/portable': {
    rooms: ['engine', 'engine/hashing', 'base', 'ports'],
    packages: ['xxhash-wasm'],
    node: 'all',
  },
  'engine/hashing': {
    rooms: ['engine', 'engine/native', 'base', 'ports'],
    packages: ['piscina', 'hash-wasm', 'xxhash-wasm'],
    node: 'all',
  },
  engine: { rooms: ['base', 'ports'], node: 'all' },
  documents: { rooms: ['control/copies', 'base'], packages: ['yaml'] },
  media: { rooms: ['base'] },
  'sim/swarm': { rooms: ['sim', 'control/swarm', 'control/messages', 'base'] },
  'sim/wan': { rooms: ['sim', 'control/copies', 'control/messages', 'base'] },
  'sim/directory': { rooms: ['sim', 'control/directory', 'control/messages', 'base'] },
  sim: { rooms: ['session/driver', 'protocol', 'control/*', 'base', 'ports'] },
  protocol: { rooms: ['control/messages', 'base'] },
  'control/view': deciding('coordinator', 'dealing', 'members', 'plan'),
  'control/fetching': deciding('receiver', 'pulling', 'holdings'),
  'control/receiver': deciding('pulling', 'holdings', 'members', 'plan'),
  'control/coordinator': deciding('dealing', 'members', 'plan', 'holdings'),
  'control/pulling': deciding('holdings'),
  'control/commit': deciding(),
  'control/copies': deciding('members'),
  'control/directory': deciding('members'),
  'control/leading': deciding(),
  'control/swarm': deciding(),
  'control/dealing': deciding('members', 'plan'),
  'control/members': deciding('plan'),
  'control/plan': deciding(),
  'control/holdings': deciding(),
  'control/space': deciding(),
  'control/messages': { rooms: ['base'] },
  ports: { rooms: ['base'] },
  'base/time': { rooms: ['base'], node: ['node:perf_hooks'] },
  base: { rooms: [] },
}

function roomOf(path: string): string {
  const inner = path.replace(/^src\//, '').replace(/\.tsx?$/, '')
  return inner.includes('/') ? inner.slice(0, inner.lastIndexOf('/')) : inner
}

function isAllowed(to: string, allowed: string): boolean {
  if (!allowed.endsWith('/*')) return to === allowed
  return `${to}/`.startsWith(allowed.slice(0, -1))
}

function resolveImport(path: string, target: string): string {
  const parts = path.split('/').slice(0, -1)
  for (const step of target.split('/')) {
    if (step === '..') parts.pop()
    else if (step !== '.') parts.push(step)
  }
  return parts.join('/').replace(/\.js$/, '.ts')
}

/** Null: allowed. */
export function refusedImport(path: string, target: string): string | null {
  const from = roomOf(path)
  const room = rooms[from]
  if (room === undefined) return `src/${from} is not a room: add it to docs/architecture.md first`
  if (target.startsWith('node:')) {
    const known = room.node === 'all' || room.node?.includes(target) === true
    if (known && !room.nodeNever?.includes(target)) return null
    return `${from} may not import ${target}: have it handed in by src/session`
  }
  if (!target.startsWith('.')) {
    const { packages = [] } = room
    if (packages.includes(target)) return null
    return `${from} may not import the package ${target}: it may use ${list(packages)}`
  }
  const file = resolveImport(path, target)
  if (file === 'package.json') return null
  if (!file.startsWith('src/')) return `${target} lies outside src: nothing shipped may need it`
  const inner = file.replace(/^src\//, '').replace(/\.ts$/, '')
  const to = roomOf(file)
  if (to === from || room.rooms.some((allowed) => isAllowed(to, allowed))) return null
  return `${from} may not import ${inner}: it may use ${list(room.rooms)}`
}

/** Circles of files that import each other, types included; each is the list of its files. */
export function importCycles(texts: ReadonlyMap<string, string>): string[][] {
  const next = (path: string): string[] =>
    importsOf(texts.get(path) ?? '')
      .filter((target) => target.startsWith('.'))
      .map((target) => resolveImport(path, target))
      .filter((file) => texts.has(file))
  const done = new Set<string>()
  const cycles: string[][] = []
  const visit = (path: string, way: readonly string[]): void => {
    const at = way.indexOf(path)
    if (at >= 0) cycles.push(way.slice(at))
    if (at >= 0 || done.has(path)) return
    for (const target of next(path)) visit(target, [...way, path])
    done.add(path)
  }
  for (const path of texts.keys()) visit(path, [])
  return cycles
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(', ')
}
