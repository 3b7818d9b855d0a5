/** Several masters over a NATS server, of which the one that leads is killed again and again. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { client } from '../../src/api/index.js'
import { copyDigest, MIB, type ServingNode, sha256 } from './cli-world.js'
import { MastersWorld, natsPassword } from './masters-world.js'

let world: MastersWorld
beforeEach(() => {
  world = new MastersWorld()
})
afterEach(() => world.close())

const head = 'apiVersion: fastreplica/v1\nkind: FileSet\nmetadata: {name: all}'

async function untilHeld(node: ServingNode, name: string, content: Buffer) {
  const digest = sha256(content)
  while (copyDigest(node, name) !== digest) await sleep(50)
}

it('one leads at a time, another soon, and nothing is copied twice or forgotten', {
  timeout: 180_000,
}, async () => {
  await world.startNats()
  await world.startMasters(3)
  let { one, term } = await world.untilLeads()
  const start = (name: string, more: readonly string[]) =>
    world.node(name, [...world.masterArguments, '--name', name, ...more])
  const [a, b] = await Promise.all([start('a', []), start('b', ['--limit-down', '1MB'])])
  // Whoever is asked.
  mkdirSync(world.path('sets'))
  writeFileSync(
    world.path('sets/all.yaml'),
    `${head}\nspec: {where: 'name=*', files: [big, more]}\n`,
  )
  const other = world.masters.find((each) => each !== one)?.address as string
  const applied = await world.run(['sets', 'apply', 'sets', '--via', other, '--json'])
  expect([applied.status, applied.lines[0]]).toMatchObject([0, { event: 'sets', isKept: true }])
  const big = world.file('big', 6 * MIB)
  expect((await world.run(['push', 'big', '--to', a.address])).status).toBe(0)
  while ((await world.received(b)) < 100_000) await sleep(20)
  for (let kill = 0; kill < 2; kill++) {
    await world.replace(one)
    const next = await world.untilLeads(term)
    one = next.one
    term = next.term
    await world.untilLinked([b])
  }
  await untilHeld(b, 'big', big)
  const content = world.file('more', 100_000)
  expect((await world.run(['push', 'more', '--to', a.address])).status).toBe(0)
  await untilHeld(b, 'more', content)
  expect(await world.received(b)).toBeLessThan(big.length + content.length + MIB)
  const [status] = (await world.run(['sets', 'status', '--via', other, '--json'])).lines
  expect(status).toMatchObject({ event: 'set', set: 'all' })
  // Without NATS nobody leads, and then one does again.
  await world.killNats()
  while (!one.running.stderr.includes('"master-follows"')) await sleep(20)
  const key = world.env['FR_KEY'] as string
  const asked = client.plan(other, { key, timeoutMs: 3_000 }).next()
  await expect(asked).rejects.toMatchObject({ code: 'ERR_FR_NOT_LEADING' })
  await world.startNats()
  await world.untilLeads(term)
  await world.untilLinked([a, b])
  expect(new Set(world.terms).size).toBe(world.terms.length)
  const shown = (await world.run(['status', other, '--json'])).stdout
  expect([...world.logs, shown].join()).not.toContain(natsPassword)
})

it('says what is wrong with where the state is', async () => {
  await world.startNats()
  const args = ['master', '--listen', '127.0.0.1:0', '--data', world.path('m')]
  const [state, url] = world.stateArguments as [string, string]
  const fails = async (file: object): Promise<string> => {
    writeFileSync(world.path('other.json'), JSON.stringify(file), { mode: 0o600 })
    const given = ['--state-file', world.path('other.json')]
    const { status, stderr } = await world.run([...args, state, url, ...given])
    expect(status).toBe(1)
    return stderr
  }
  const { tls, user } = JSON.parse(readFileSync(world.path('state.json'), 'utf8'))
  // No password; another one; a server signed by nobody that is known, and one of another name.
  expect(await fails({ tls })).toMatch(/ERR_FR_AUTH: NATS/)
  const wrong = await fails({ tls, user, password: 'another' })
  expect(wrong).toMatch(/ERR_FR_AUTH: NATS/)
  expect(wrong).not.toMatch(/another/)
  const right = { user, password: natsPassword }
  const isNotTaken = /ERR_FR_AUTH: .* its certificate is not taken/
  expect(await fails(right)).toMatch(isNotTaken)
  expect(await fails({ ...right, tls: { ...tls, name: undefined } })).toMatch(isNotTaken)
  const secret = await world.run([...args, state, url.replace('//', '//user:pass@')])
  expect(secret.status).toBe(2)
  expect(secret.stderr).toMatch(/given in a file/)
  expect(secret.stderr).not.toMatch(/pass@/)
  writeFileSync(world.path('open.json'), '{}', { mode: 0o644 })
  const open = await world.run([...args, state, url, '--state-file', world.path('open.json')])
  expect([open.status, open.stderr]).toEqual([1, expect.stringMatching(/ERR_FR_KEY: .*others may/)])
})
