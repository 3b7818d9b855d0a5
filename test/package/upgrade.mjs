/**
 * `npm run test:upgrade [-- COMMIT]`: what docs/releasing.md promises of an upgrade, with the
 * package as it was at that commit (default: the newest one with a tag, else `recorded`).
 *
 * The package of then is packed and used: its node is given a file in two versions and a tree, and
 * ends. The node of now serves the same directory: all of it is listed, verified, fetched, and the
 * next version takes from it what it has. Between a node of one and a sender of the other a push
 * either comes through, or is refused as another version (ERR_FR_VERSION); nothing is lost by it.
 * Needs git. Some minutes, for the package of then is built.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Running } from '../../bench/running.mjs'
import { conclude, report } from '../../scripts/steps.mjs'
import { packedTree } from './tarball.mjs'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
/** Before there were releases. */
const recorded = 'b6ed48ba'
const now = join(root, 'dist/cli/main.js')

const work = mkdtempSync(join(tmpdir(), 'fr-upgrade-'))
const running = new Set()
const key = join(work, 'key')
writeFileSync(key, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 })

try {
  const commit = process.argv[2] ?? newestTag() ?? recorded
  const tarball = packageOf(commit)
  if (tarball !== null) {
    execFileSync('tar', ['-xzf', tarball, '-C', work])
    symlinkSync(join(root, 'node_modules'), join(work, 'package/node_modules'))
    const then = join(work, 'package/dist/cli/main.js')
    await step(`a data directory of ${commit} is read`, () => readDirectory(then))
    await step('a sender of then and a node of now', () => meet(then, now, 'older'))
    await step('a sender of now and a node of then', () => meet(now, then, 'newer'))
  }
} finally {
  for (const each of running) each.kill('SIGKILL')
  await Promise.all([...running].map(({ ended }) => ended))
  rmSync(work, { recursive: true, force: true })
}
conclude()

function newestTag() {
  const tags = execFileSync('git', ['tag', '--sort=-v:refname', '--list', 'v*'], { cwd: root })
  return tags.toString().trim().split('\n')[0] || undefined
}

function packageOf(commit) {
  const tree = join(work, 'tree')
  mkdirSync(tree)
  const archive = join(work, 'tree.tar')
  execFileSync('git', ['archive', '--output', archive, commit], { cwd: root })
  execFileSync('tar', ['-xf', archive, '-C', tree])
  return packedTree(tree, work, { modules: join(root, 'node_modules') })
}

async function step(name, act) {
  const startedMs = performance.now()
  const problem = await act().then(
    () => null,
    (error) => error.message,
  )
  report(name, problem, startedMs)
}

function fr(program, ...args) {
  const env = { ...process.env, XDG_CACHE_HOME: join(work, 'cache') }
  const one = new Running(process.execPath, [program, ...args, '--key-file', key], { env })
  running.add(one)
  one.ended.then(() => running.delete(one))
  return one
}

/** Its output, once it has ended well. */
async function done(program, ...args) {
  const one = fr(program, ...args)
  await one.succeed(`fr ${args[0]}`)
  return one.stdout
}

async function node(program, data) {
  const where = ['--listen', '127.0.0.1:0', '--data', data, '--keep', '3']
  const one = fr(program, 'node', ...where, '--json', '--log-level', 'error')
  const { address } = await one.ready('node')
  return Object.assign(one, { address })
}

async function end(one) {
  await one.stop()
  // As a command says that a SIGTERM ended it, in order.
  assert.equal(await one.ended, 143, one.stderr)
}

async function readDirectory(then) {
  const data = join(work, 'data')
  const tree = join(work, 'tree-of-files')
  const file = join(work, 'file.bin')
  const [first, second, third] = [0, 1, 2].map(() => randomBytes(3_000_000))
  for (const [n, content] of [first, second].entries()) {
    mkdirSync(join(tree, `d${n}`), { recursive: true })
    writeFileSync(join(tree, `d${n}/entry`), content.subarray(0, 10_000))
  }
  const old = await node(then, data)
  for (const content of [first, second]) {
    writeFileSync(file, content)
    await done(then, 'push', file, '--to', old.address)
  }
  await done(then, 'push', tree, '--to', old.address, '--as', 'tree')
  await end(old)

  const fresh = await node(now, data)
  const listed = await done(now, 'ls', fresh.address, '--json')
  for (const name of ['file.bin', 'tree']) assert.match(listed, new RegExp(`"${name}"`))
  await done(now, 'verify', fresh.address)
  const output = join(work, 'got')
  await done(now, 'get', 'file.bin', '--from', fresh.address, '-o', output)
  assert.ok(readFileSync(output).equals(second), 'the file is another one')
  await done(now, 'get', 'tree/d1/entry', '--from', fresh.address, '-o', join(work, 'entry'))
  assert.ok(readFileSync(join(work, 'entry')).equals(second.subarray(0, 10_000)))
  await done(now, 'rollback', fresh.address, 'file.bin')
  assert.ok(readFileSync(join(data, 'file.bin')).equals(first), 'not the version before')
  writeFileSync(file, Buffer.concat([first, third.subarray(0, 10_000)]))
  const pushed = await done(now, 'push', file, '--to', fresh.address, '--json')
  const { nodes } = JSON.parse(pushed.trimEnd().split('\n').at(-1))
  const { status, heldBytes, filledBytes } = nodes[0]
  assert.equal(status, 'complete')
  assert.ok(heldBytes + filledBytes > 2_000_000, `${heldBytes} and ${filledBytes} were there`)
  assert.ok(readFileSync(join(data, 'file.bin')).equals(readFileSync(file)))
  await end(fresh)
}

async function meet(sender, receiver, name) {
  const data = join(work, name)
  const file = join(work, `${name}.bin`)
  writeFileSync(file, randomBytes(1_000_000))
  const receiving = await node(receiver, data)
  const pushing = fr(sender, 'push', file, '--to', receiving.address, '--json')
  const status = await pushing.ended
  if (status === 0) {
    assert.ok(readFileSync(join(data, `${name}.bin`)).equals(readFileSync(file)))
    console.log(`     compatible: ${name} pushes`)
  } else {
    assert.match(`${pushing.stdout}${pushing.stderr}`, /ERR_FR_VERSION/)
    console.log(`     refused as another version: ${name} pushes`)
  }
  // Whatever came of it: it serves those of its own version.
  await done(receiver, 'push', file, '--to', receiving.address, '--as', 'again')
  assert.ok(readFileSync(join(data, 'again')).equals(readFileSync(file)))
  await end(receiving)
}
