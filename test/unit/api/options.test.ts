/** Options of the library: a name that is none is refused, before anything else happens. */
import { describe, expect, it } from 'vitest'
import {
  addNode,
  client,
  copy,
  createMaster,
  digestFile,
  fetchStatus,
  findNodes,
  get,
  getSet,
  identity,
  publish,
  push,
  simulate,
  simulateSets,
  startNode,
  unpublish,
  waitFor,
  watchStatus,
} from '../../../src/api/index.js'
import { optionNames } from '../../../src/api/option-names.js'
import { checkPush } from '../../../src/api/options.js'

const at = '127.0.0.1:1'
const id = '0'.repeat(32)
// As a caller without types would write them.
type Call = (options: object) => unknown
const calls: Record<keyof typeof optionNames, Call> = {
  push: (options) => push('file', { to: [at], ...options }),
  startNode: (options) => startNode({ listen: at, dataDir: '/nonexistent/x', ...options }),
  createMaster: (options) => createMaster({ listen: at, dataDir: '/nonexistent/x', ...options }),
  fetchStatus: (options) => fetchStatus(at, { ...options }),
  watchStatus: (options) => watchStatus(at, { ...options }),
  findNodes: (options) => findNodes('a.b', { ...options }),
  addNode: (options) => addNode(id, at, { via: at, ...options }),
  limit: (options) => client.limit(at, { ...options }),
  changeAttributes: (options) => client.changeAttributes(at, { set: { a: '' }, ...options }),
  list: (options) => client.list(at, { ...options }),
  remove: (options) => client.remove(at, 'f', { ...options }),
  verify: (options) => client.verify(at, { ...options }),
  versions: (options) => client.versions(at, { ...options }),
  disks: (options) => client.disks(at, { ...options }),
  where: (options) => client.where('a', { via: at, ...options }),
  askMaster: (options) => client.links(at, { ...options }),
  plan: (options) => client.plan(at, { ...options }),
  applySets: (options) => client.applySets(at, 'sets', { ...options }),
  drain: (options) => client.drain(at, 'node', { ...options }),
  rollbackTogether: (options) => client.rollbackTogether([at], 'f', { commit: 'all', ...options }),
  forceCommit: (options) => client.forceCommit(at, 'f', { verdict: 'abort', ...options }),
  rollback: (options) => client.rollback(at, 'f', { ...options }),
  lacking: (options) => client.lacking([at], [], { ...options }),
  getSet: (options) => getSet([], { from: [at], ...options }).next(),
  get: (options) => get('f', { from: [at], ...options }),
  simulate: (options) => simulate({ nodes: 1, bytes: 1, uplinkBytesPerSecond: 1, ...options }),
  simulateSets: (options) =>
    simulateSets({
      ...{ topology: '/nonexistent', sets: '/nonexistent', nodes: 1, bytes: 1 },
      ...{ uplinkBytesPerSecond: 1, ...options },
    }),
  digestFile: (options) => digestFile('/nonexistent/x', { ...options }),
  publish: (options) => publish('file', { via: at, where: 'a', ...options }),
  unpublish: (options) => unpublish('file', { via: at, ...options }),
  copy: (options) => copy('file', { from: at, to: [at], ...options }),
  waitFor: (options) => waitFor(id, { via: at, ...options }),
  identity: (options) => identity({ ...options }),
  target: (options) => push('file', { to: [{ address: at, ...options }] }),
}
const messageOf = async (call: () => unknown): Promise<string> => {
  try {
    await call()
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError)
    return (error as TypeError).message
  }
  throw new Error('it was taken')
}

describe.each(Object.entries(calls) as [keyof typeof optionNames, Call][])('%s', (name, call) => {
  const owner = name === 'target' ? 'to[0]' : name

  it.each(['retrys', 'Signal', 'constructor', ' key'])('refuses the option %o', async (option) => {
    const message = await messageOf(() => call({ [option]: undefined }))
    expect(message).toBe(
      `${owner} has no option '${option}'; it has ${Object.keys(optionNames[name]).join(', ')}`,
    )
  })

  it('refuses options that are no object', async () => {
    const wrong = {
      push: () => push('file', 'to' as never),
      startNode: () => startNode(null as never),
      createMaster: () => createMaster(null as never),
      fetchStatus: () => fetchStatus(at, 1 as never),
      watchStatus: () => watchStatus(at, 1 as never),
      findNodes: () => findNodes('a.b', 1 as never),
      addNode: () => addNode(id, at, null as never),
      limit: () => client.limit(at, null as never),
      changeAttributes: () => client.changeAttributes(at, null as never),
      list: () => client.list(at, null as never),
      remove: () => client.remove(at, 'f', 'force' as never),
      verify: () => client.verify(at, 7 as never),
      versions: () => client.versions(at, 'f' as never),
      disks: () => client.disks(at, 'f' as never),
      where: () => client.where('a', 'f' as never),
      rollbackTogether: () => client.rollbackTogether([at], 'f', 'all' as never),
      forceCommit: () => client.forceCommit(at, 'f', 'abort' as never),
      askMaster: () => client.links(at, 7 as never),
      plan: () => client.plan(at, 'f' as never),
      applySets: () => client.applySets(at, 'sets', 7 as never),
      drain: () => client.drain(at, 'node', 7 as never),
      rollback: () => client.rollback(at, 'f', '-1' as never),
      lacking: () => client.lacking([at], [], 7 as never),
      getSet: () => getSet([], null as never).next(),
      get: () => get('f', 'from' as never),
      simulate: () => simulate(7 as never),
      simulateSets: () => simulateSets(7 as never),
      digestFile: () => digestFile('file', 'sha256' as never),
      publish: () => publish('file', 7 as never),
      unpublish: () => unpublish('file', 7 as never),
      copy: () => copy('file', 'from' as never),
      waitFor: () => waitFor(id, null as never),
      identity: () => identity('dir' as never),
      target: () => push('file', { to: [7 as never] }),
    }
    const label = name === 'target' ? 'to[0]' : 'options'
    expect(await messageOf(wrong[name])).toBe(`${label} must be an object`)
  })
})

it.each([
  [{}, 'xxh64'],
  [{ key: 'k'.repeat(32) }, 'blake3'],
  [{ digest: 'blake3' }, 'blake3'],
  [{ key: 'k'.repeat(32), digest: 'xxh64' }, 'xxh64'],
] as const)('push with %o verifies blocks by %s', (options, algorithm) => {
  expect(checkPush('file', { to: [at], ...options }).algorithm).toBe(algorithm)
})

it.each([
  ['timeoutMs', 0, 'timeoutMs must be a whole number from 1 to 2592000000, not 0'],
  ['timeoutMs', 1.5, 'timeoutMs must be a whole number from 1 to 2592000000, not 1.5'],
  ['minRateBytesPerSecond', 0, 'minRateBytesPerSecond must be a rate above zero'],
  ['minRateBytesPerSecond', '1MB', 'minRateBytesPerSecond must be a rate above zero'],
  [
    'limitUpBytesPerSecond',
    0,
    'limitUpBytesPerSecond must be a rate from 65536 (a block a second)',
  ],
  ['limitUpBytesPerSecond', -1, 'limitUpBytesPerSecond must be a rate from 65536'],
  ['limitUpBytesPerSecond', 65_535, 'limitUpBytesPerSecond must be a rate from 65536'],
  ['limitDownBytesPerSecond', Number.NaN, 'limitDownBytesPerSecond must be a rate from 65536'],
  ['limitDownBytesPerSecond', 2e15, 'to 1000000000000000 bytes per second'],
  ['limitDownBytesPerSecond', '1MB', 'limitDownBytesPerSecond must be a rate from 65536'],
  ['priority', 0, 'priority must be a whole number from 1 to 100, not 0'],
  ['priority', 101, 'priority must be a whole number from 1 to 100, not 101'],
  ['priority', 1.5, 'priority must be a whole number from 1 to 100, not 1.5'],
  ['flows', 17, 'flows must be a whole number from 1 to 16, not 17'],
])('push refuses %s %o', async (option, value, message) => {
  expect(await messageOf(() => calls.push({ [option]: value }))).toContain(message)
})

it.each([
  ['limitUpBytesPerSecond', 1, 'limitUpBytesPerSecond must be a rate from 65536'],
  ['limitDownBytesPerSecond', Number.POSITIVE_INFINITY, 'limitDownBytesPerSecond must be a rate'],
  ['maxFeeds', 0, 'maxFeeds must be a whole number from 1 to 65536, not 0'],
  ['priority', 5, "startNode has no option 'priority'"],
])('a node refuses %s %o', async (option, value, message) => {
  expect(await messageOf(() => calls.startNode({ [option]: value }))).toContain(message)
})

it.each([
  [{}, 'upBytesPerSecond or downBytesPerSecond must be given'],
  [{ upBytesPerSecond: 0 }, 'upBytesPerSecond must be a rate from 65536'],
  [{ upBytesPerSecond: null, downBytesPerSecond: -5 }, 'downBytesPerSecond must be a rate'],
  [{ upBytesPerSecond: 1e6, transfer: 'x' }, 'transfer must be 32 hex digits, not "x"'],
])('a limit of %o is not asked for', async (options, message) => {
  expect(await messageOf(() => client.limit(at, options))).toContain(message)
})

it.each([
  [() => client.list('', {}), 'address'],
  [() => client.list(at, { glob: '' }), 'glob is no pattern: it is empty'],
  [() => client.list(at, { glob: 7 as never }), 'glob must be a string or a Uint8Array'],
  [() => client.list(at, { key: 7 as never }), 'key must be a string'],
  [() => client.verify(at, { names: 'a' as never }), 'names must be a list'],
  [() => client.verify(at, { names: [7 as never] }), 'names[0] must be a string'],
  [() => client.verify(at, { timeoutMs: 0 }), 'timeoutMs must be'],
  [() => client.remove(at, {} as never), 'name must be a string'],
])('what a node holds is asked with right arguments alone (%#)', async (call, message) => {
  expect(await messageOf(call)).toContain(message)
})

it.each(['', '/etc/passwd', '../a', '.fastreplica/node-key', 'a\0b'])(
  'no node is asked for the name %j',
  async (name) => {
    await expect(client.remove(at, name)).rejects.toMatchObject({ code: 'ERR_FR_NAME' })
    const code = expect.objectContaining({ code: 'ERR_FR_NAME' })
    expect(() => client.verify(at, { names: [name] })).toThrow(code)
  },
)
